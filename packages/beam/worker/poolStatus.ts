import * as grpc from "@grpc/grpc-js";
import { ACCESS_TOKEN_HEADER, isAccessToken } from "../accessToken";
import type { Failure } from "./counters";

/** A failure of a worker, numbered by its pool. */
export interface NumberedFailure extends Failure {
  readonly number: number;
}

/** What a worker pool reports about the workers of a job. */
export interface PoolStatus {
  /** Random id of the pool's process: the counters begin at 0 with each. */
  readonly instance: string;
  /** Version of the code of the workers; empty when the pool does not report it. */
  readonly version: string;
  /** Number of running workers of the job. */
  readonly workers: number;
  readonly counters: Readonly<Record<string, number>>;
  readonly gauges: Readonly<Record<string, number>>;
  /** Number of workers of the job that have exited unexpectedly. */
  readonly unexpectedExits: number;
  /** The failures after the requested number, oldest first; the pool forgets old ones. */
  readonly failures: readonly NumberedFailure[];
  /** Whether the content of the requested file is as expected; undefined when no file was requested. */
  readonly seesFile?: boolean;
}

/** A question to a worker pool. */
export interface StatusRequest {
  /** Prefix of the jobs to report; see `StartParameters`. */
  readonly job: string;
  /** Only failures with a higher number are of interest. */
  readonly failuresAfter: number;
  /** A file that the machine of the pool must see, with its content: checks that they share a file system. */
  readonly file?: { readonly path: string; readonly content: string };
}

const PATH = "/eventlogger.beam.WorkerPoolStatus/GetStatus";
const CALL_LIMIT_MS = 5000;

const encode = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const decode = <T>(bytes: Buffer): T => JSON.parse(bytes.toString("utf8")) as T;

const METHOD = {
  path: PATH,
  requestStream: false,
  responseStream: false,
  requestSerialize: encode,
  requestDeserialize: (bytes: Buffer) => decode<StatusRequest>(bytes),
  responseSerialize: encode,
  responseDeserialize: (bytes: Buffer) => decode<PoolStatus>(bytes),
} as const;

/** Adds the status service to the server of a pool. Its calls must carry the access token, if there is one. */
export function addStatusService(
  server: grpc.Server,
  accessToken: string | undefined,
  status: (request: StatusRequest) => PoolStatus,
): void {
  const getStatus: grpc.handleUnaryCall<StatusRequest, PoolStatus> = (call, callback) => {
    const [presented] = call.metadata.get(ACCESS_TOKEN_HEADER);
    if (accessToken !== undefined && !isAccessToken(presented?.toString(), accessToken)) {
      callback({ code: grpc.status.UNAUTHENTICATED, details: "The access token is missing or wrong" });
      return;
    }
    callback(null, status(call.request));
  };
  server.addService({ getStatus: METHOD }, { getStatus });
}

/** A client of the status service of one pool. */
export class PoolStatusClient {
  private readonly client: grpc.Client;
  private readonly metadata = new grpc.Metadata();

  /** @param address `host:port` */
  constructor(
    readonly address: string,
    accessToken: string,
  ) {
    // A pool that was restarted is found soon.
    const options = { "grpc.initial_reconnect_backoff_ms": 500, "grpc.max_reconnect_backoff_ms": 2000 };
    this.client = new grpc.Client(address, grpc.credentials.createInsecure(), options);
    this.metadata.set(ACCESS_TOKEN_HEADER, accessToken);
  }

  /** @throws grpc.ServiceError when the pool does not answer within 5 s, or refuses the token */
  status(request: StatusRequest): Promise<PoolStatus> {
    return new Promise((resolve, reject) => {
      this.client.makeUnaryRequest(
        PATH,
        METHOD.requestSerialize,
        METHOD.responseDeserialize,
        request,
        this.metadata,
        { deadline: Date.now() + CALL_LIMIT_MS },
        (error, response) => (error ? reject(error) : resolve(response as PoolStatus)),
      );
    });
  }

  close(): void {
    this.client.close();
  }
}
