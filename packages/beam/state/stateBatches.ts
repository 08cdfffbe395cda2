/** Sends state requests together: those that are made before the running code ends. */
import "../sdk";
import type { StateRequest, StateResponse } from "apache-beam/proto/beam_fn_api";
import type { StateChannel } from "../patches/stateChannel";
import { decodeBatchResponse, StateRequestBatch } from "../patches/stateRequests";

/** Bytes of requests after which they are sent at once, so that the runner begins to answer them. */
const MAX_BATCH_BYTES = 64 * 1024;

/** Whether the runner answers many requests in one message. */
type Support = "unknown" | "asked" | "yes" | "no";

interface Batches {
  /** The requests that are not yet sent. */
  waiting: StateRequestBatch | undefined;
  support: Support;
}

const batchesOf = new WeakMap<StateChannel, Batches>();
let mayAsk = false;

/**
 * Allows the workers of this process to ask their runner whether it answers many state requests in one message. Only for runners
 * that answer an unknown request with an error, such as those of Beam's Java SDK.
 */
export function allowStateBatches(): void {
  mayAsk = true;
}

let messages = 0;

/** Number of messages that this process has sent, each of which contains one or more state requests. */
export function stateMessages(): number {
  return messages;
}

function responses(id: string, response: StateResponse): StateResponse[] | undefined {
  if (response.error || response.response.oneofKind !== "get" || response.id !== id) return undefined;
  return decodeBatchResponse(response.response.get.data);
}

/** Sends a batch without requests. A runner without support answers it with an error. */
function ask(channel: StateChannel, batches: Batches): void {
  batches.support = "asked";
  const request = new StateRequestBatch().toRequest(`stateBatch${channel.idCounter++}`);
  channel.callbacks.set(request.id, (response) => {
    batches.support = responses(request.id, response)?.length === 0 ? "yes" : "no";
  });
  channel.stateChannel.write(request);
}

function sendAsOne(channel: StateChannel, batch: StateRequestBatch): void {
  const request = batch.toRequest(`stateBatch${channel.idCounter++}`);
  const answer = (response: StateResponse): void => {
    const callback = channel.callbacks.get(response.id);
    channel.callbacks.delete(response.id);
    callback?.(response);
  };
  channel.callbacks.set(request.id, (response) => {
    let error = response.error || "The runner did not answer a batch of state requests";
    try {
      for (const one of responses(request.id, response) ?? []) answer(one);
    } catch (cause) {
      error = String(cause);
    }
    // Those without an answer fail, so that their bundles do.
    for (const id of batch.ids)
      if (channel.callbacks.has(id)) answer({ id, error, response: { oneofKind: undefined } });
  });
  channel.stateChannel.write(request);
}

function send(channel: StateChannel, batches: Batches): void {
  const batch = batches.waiting;
  batches.waiting = undefined;
  if (!batch || channel.closed || channel.error) return;
  if (mayAsk && batches.support === "unknown") ask(channel, batches);
  if (batches.support === "yes") {
    messages++;
    sendAsOne(channel, batch);
  } else {
    messages += batch.ids.length;
    channel.stateChannel.write(batch);
  }
}

/** Sends a request with the others that are made before the running code ends. Its callback is registered at the channel. */
export function enqueue(channel: StateChannel, request: StateRequest): void {
  let batches = batchesOf.get(channel);
  if (!batches) batchesOf.set(channel, (batches = { waiting: undefined, support: "unknown" }));
  const known = batches;
  if (!known.waiting) {
    known.waiting = new StateRequestBatch();
    queueMicrotask(() => send(channel, known));
  }
  known.waiting.add(request);
  if (known.waiting.bytes >= MAX_BATCH_BYTES) send(channel, known);
}
