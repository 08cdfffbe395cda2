/**
 * Patches the state channel of the worker: when the state stream breaks or ends, requests in flight wait forever. The patch
 * rejects them, so that their bundles fail, and reports the end of the stream.
 */
import type { StateRequest, StateResponse } from "apache-beam/proto/beam_fn_api";
import type { MultiplexingStateChannel } from "apache-beam/worker/state";
import { Worker } from "apache-beam/worker/worker";
import type { StateRequestBatch } from "./stateRequests";
import { streamFailed } from "./streams";

/** Members of the SDK's channel that its types do not declare. */
export interface StateChannel {
  closed?: boolean;
  error?: Error;
  idCounter: number;
  callbacks: Map<string, (response: StateResponse) => void>;
  stateChannel: {
    write(request: StateRequest | StateRequestBatch): void;
    on(event: "error", listener: (error: Error) => void): void;
    on(event: "end", listener: () => void): void;
  };
}

/** The members of the SDK's channel that its types do not declare. */
export function membersOf(channel: MultiplexingStateChannel): StateChannel {
  return channel;
}

function fail(channel: StateChannel, error: Error): void {
  channel.error ??= error;
  for (const [id, callback] of [...channel.callbacks]) {
    channel.callbacks.delete(id);
    callback({ id, error: String(error), response: { oneofKind: undefined } });
  }
}

/** Patch `stateChannel`. */
export function patchStateChannel(): void {
  const { getStateChannel } = Worker.prototype;
  Worker.prototype.getStateChannel = function (endpoint) {
    const known = this.stateChannels.has(endpoint);
    const channel = getStateChannel.call(this, endpoint);
    if (!known) {
      const members = membersOf(channel);
      const failed = (error: Error): void => {
        fail(members, error);
        streamFailed(this, error);
      };
      members.stateChannel.on("error", failed);
      members.stateChannel.on("end", () => failed(new Error("The state stream ended")));
    }
    return channel;
  };
}
