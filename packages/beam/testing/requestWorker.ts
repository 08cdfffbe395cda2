import "../sdk";
import { ChannelCredentials } from "@grpc/grpc-js";
import { StartWorkerRequest, type StartWorkerResponse } from "apache-beam/proto/beam_fn_api";
import { BeamFnExternalWorkerPoolClient } from "apache-beam/proto/beam_fn_api.grpc-client";

export interface WorkerRequest {
  readonly workerId: string;
  /** `host:port` of the control service. */
  readonly controlUrl: string;
  readonly params: Readonly<Record<string, string>>;
}

/** Requests a worker from a pool, as runners do. @returns the error text of the response; empty when the worker has started */
export function requestWorker(pool: string, { workerId, controlUrl, params }: WorkerRequest): Promise<string> {
  const client = new BeamFnExternalWorkerPoolClient(pool, ChannelCredentials.createInsecure());
  const request = StartWorkerRequest.create({ workerId, controlEndpoint: { url: controlUrl }, params: { ...params } });
  return new Promise<string>((resolve, reject) => {
    client.startWorker(request, (error: Error | null, value?: StartWorkerResponse) =>
      error ? reject(error) : resolve(value?.error ?? ""),
    );
  }).finally(() => client.close());
}
