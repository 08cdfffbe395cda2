/** A job service whose answers a test chooses, over real gRPC on 127.0.0.1. */
import "../sdk";
import * as grpc from "@grpc/grpc-js";
import {
  GetJobMetricsResponse,
  JobMessage_MessageImportance,
  JobState_Enum,
  JobStateEvent,
  type MetricResults,
  PrepareJobRequest,
  PrepareJobResponse,
  RunJobResponse,
  CancelJobResponse,
  JobMessagesResponse,
} from "apache-beam/proto/beam_job_api";
import { Struct } from "apache-beam/proto/google/protobuf/struct";

export interface JobServiceOptions {
  /** The answer to the nth question for the state, n from 0. */
  readonly state: (question: number, isCancelled: boolean) => JobState_Enum | { readonly error: grpc.status };
  /** Sent as an error message of the job. */
  readonly message?: string;
  readonly metrics?: MetricResults;
}

export interface TestJobService {
  /** `127.0.0.1:PORT`. */
  readonly address: string;
  /** Number of questions for the state so far. */
  readonly questions: number;
  /** The pipeline options of the job. */
  readonly options: unknown;
  stop(): void;
}

const PREFIX = "/org.apache.beam.model.job_management.v1.JobService/";
const encode = (message: Uint8Array): Buffer => Buffer.from(message);
const method = (name: string, responseStream = false): grpc.MethodDefinition<Buffer, Uint8Array> => ({
  path: PREFIX + name,
  requestStream: false,
  responseStream,
  requestSerialize: (bytes) => bytes,
  requestDeserialize: (bytes) => bytes,
  responseSerialize: encode,
  responseDeserialize: (bytes) => bytes,
});

/** Starts a job service with one job on a free port. */
export async function startJobService(options: JobServiceOptions): Promise<TestJobService> {
  let questions = 0;
  let isCancelled = false;
  let pipelineOptions: unknown;
  const answer =
    (respond: (request: Buffer) => Uint8Array) =>
    ({ request }: { request: Buffer }, callback: grpc.sendUnaryData<Uint8Array>): void =>
      callback(null, respond(request));
  const server = new grpc.Server();
  server.addService(
    {
      prepare: method("Prepare"),
      run: method("Run"),
      getState: method("GetState"),
      cancel: method("Cancel"),
      getMessageStream: method("GetMessageStream", true),
      getJobMetrics: method("GetJobMetrics"),
    },
    {
      prepare: answer((request) => {
        const { pipelineOptions: options } = PrepareJobRequest.fromBinary(request);
        pipelineOptions = options && Struct.toJson(options);
        return PrepareJobResponse.toBinary(PrepareJobResponse.create({ preparationId: "preparation" }));
      }),
      run: answer(() => RunJobResponse.toBinary({ jobId: "job" })),
      getState: (_call: unknown, callback: grpc.sendUnaryData<Uint8Array>) => {
        const state = options.state(questions++, isCancelled);
        if (typeof state === "object") callback({ code: state.error, details: "not now" });
        else callback(null, JobStateEvent.toBinary(JobStateEvent.create({ state })));
      },
      cancel: answer(() => {
        isCancelled = true;
        return CancelJobResponse.toBinary({ state: JobState_Enum.CANCELLING });
      }),
      getMessageStream: (call: grpc.ServerWritableStream<Buffer, Uint8Array>) => {
        if (options.message !== undefined) {
          const messageResponse = {
            messageId: "",
            time: "",
            importance: JobMessage_MessageImportance.JOB_MESSAGE_ERROR,
            messageText: options.message,
          };
          call.write(JobMessagesResponse.toBinary({ response: { oneofKind: "messageResponse", messageResponse } }));
        }
        call.end();
      },
      getJobMetrics: answer(() => GetJobMetricsResponse.toBinary({ metrics: options.metrics })),
    },
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  return {
    address: `127.0.0.1:${port}`,
    get questions() {
      return questions;
    },
    get options() {
      return pipelineOptions;
    },
    stop: () => server.forceShutdown(),
  };
}
