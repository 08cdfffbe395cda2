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

/** Asks a worker pool to stop the workers of a job that has ended. */
export interface StopWorkersRequest {
  /** Prefix of the jobs; not empty. */
  readonly job: string;
}

const SERVICE = "/eventlogger.beam.WorkerPoolStatus";
const CALL_LIMIT_MS = 5000;
/** The workers have time to nack their messages, and are then killed. */
const STOP_LIMIT_MS = 20_000;

const encode = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const decode = <T>(bytes: Buffer): T => JSON.parse(bytes.toString("utf8")) as T;

interface Method<Request, Response> {
  readonly path: string;
  readonly requestStream: false;
  readonly responseStream: false;
  readonly requestSerialize: (value: Request) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => Request;
  readonly responseSerialize: (value: Response) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Response;
}

const method = <Request, Response>(name: string): Method<Request, Response> => ({
  path: `${SERVICE}/${name}`,
  requestStream: false,
  responseStream: false,
  requestSerialize: encode,
  requestDeserialize: (bytes) => decode<Request>(bytes),
  responseSerialize: encode,
  responseDeserialize: (bytes) => decode<Response>(bytes),
});

const GET_STATUS = method<StatusRequest, PoolStatus>("GetStatus");
const STOP_WORKERS = method<StopWorkersRequest, StoppedWorkers>("StopWorkers");

/** The workers that have exited. */
export interface StoppedWorkers {
  readonly workers: number;
}

/** What the status service calls. */
export interface StatusHandlers {
  status(request: StatusRequest): PoolStatus;
  /** Resolves when the workers have exited. */
  stopWorkers(request: StopWorkersRequest): Promise<StoppedWorkers>;
}

/** Adds the status service to the server of a pool. Its calls must carry the access token, if there is one. */
export function addStatusService(server: grpc.Server, accessToken: string | undefined, handlers: StatusHandlers): void {
  const withToken =
    <Request, Response>(
      handle: (request: Request) => Response | Promise<Response>,
    ): grpc.handleUnaryCall<Request, Response> =>
    (call, callback) => {
      const [presented] = call.metadata.get(ACCESS_TOKEN_HEADER);
      if (accessToken !== undefined && !isAccessToken(presented?.toString(), accessToken)) {
        callback({ code: grpc.status.UNAUTHENTICATED, details: "The access token is missing or wrong" });
        return;
      }
      void (async () => handle(call.request))().then(
        (response) => callback(null, response),
        (error: unknown) => callback({ code: grpc.status.INTERNAL, details: String(error) }),
      );
    };
  server.addService(
    { getStatus: GET_STATUS, stopWorkers: STOP_WORKERS },
    {
      getStatus: withToken((request: StatusRequest) => handlers.status(request)),
      stopWorkers: withToken((request: StopWorkersRequest) => handlers.stopWorkers(request)),
    },
  );
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

  private call<Request, Response>(
    { path, requestSerialize, responseDeserialize }: Method<Request, Response>,
    request: Request,
    limitMs: number,
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      this.client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        this.metadata,
        { deadline: Date.now() + limitMs },
        (error, response) => (error ? reject(error) : resolve(response as Response)),
      );
    });
  }

  /** @throws grpc.ServiceError when the pool does not answer within 5 s, or refuses the token */
  status(request: StatusRequest): Promise<PoolStatus> {
    return this.call(GET_STATUS, request, CALL_LIMIT_MS);
  }

  /**
   * Stops the workers of a job that has ended. Resolves when they have exited.
   * @throws grpc.ServiceError when that takes longer than 20 s, the pool does not answer, or refuses the token
   */
  stopWorkers(request: StopWorkersRequest): Promise<StoppedWorkers> {
    return this.call(STOP_WORKERS, request, STOP_LIMIT_MS);
  }

  close(): void {
    this.client.close();
  }
}
