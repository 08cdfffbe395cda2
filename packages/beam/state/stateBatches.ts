/** Sends state requests together: those that are made before the running code ends. */
import "../sdk";
import type { StateKey, StateRequest, StateResponse } from "apache-beam/proto/beam_fn_api";
import type { StateChannel } from "../patches/stateChannel";
import { BATCH_INSTRUCTION, StateBatchReader, StateBatchWriter } from "../patches/stateMessages";
import type { StateAnswer, StateOperation } from "../patches/stateMessages";
import { StateRequestBatch } from "../patches/stateRequests";
import { UserStateKey } from "./userStateKey";

/** Bytes of keys and data after which requests are sent at once, so that the runner begins to answer them. */
const MAX_BATCH_BYTES = 40 * 1024;
const NO_BYTES = new Uint8Array();

/** A request, and who waits for its answer. */
export interface PendingRequest {
  /** The instruction id of its bundle. */
  readonly bundle: string;
  readonly operation: StateOperation;
  readonly key: StateKey;
  /** The continuation token of a get, or the data of an append. */
  readonly data: Uint8Array;
  /** Called exactly once. */
  answered(answer: StateAnswer): void;
}

/** Whether the runner answers many requests in one message. */
type Support = "unknown" | "asked" | "yes" | "no";

interface Batches {
  /** The requests that are not yet sent. */
  waiting: PendingRequest[];
  waitingBytes: number;
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

function sendBatch(
  channel: StateChannel,
  data: Uint8Array,
  answered: (error: string | undefined, data: Uint8Array) => void,
): void {
  const id = `stateBatch${channel.idCounter++}`;
  channel.callbacks.set(id, ({ error, response }) => {
    if (error) answered(error, NO_BYTES);
    else if (response.oneofKind === "get") answered(undefined, response.get.data);
    else answered("The runner did not answer a batch of state requests", NO_BYTES);
  });
  const request: StateRequest["request"] = { oneofKind: "append", append: { data } };
  channel.stateChannel.write({ id, instructionId: BATCH_INSTRUCTION, request });
}

/** Sends a batch without requests. A runner without support answers it with an error. */
function ask(channel: StateChannel, batches: Batches): void {
  batches.support = "asked";
  sendBatch(channel, NO_BYTES, (error) => (batches.support = error === undefined ? "yes" : "no"));
}

function answerAll(requests: readonly PendingRequest[], error: string | undefined, data: Uint8Array): void {
  let failure = error;
  const reader = new StateBatchReader(data);
  for (const request of requests) {
    let answer: StateAnswer | undefined;
    try {
      if (failure === undefined) answer = reader.next();
    } catch (cause) {
      failure = String(cause);
    }
    request.answered(answer ?? { error: failure ?? "" });
  }
}

/** Sends requests for user state in one message. */
function sendAsOne(channel: StateChannel, requests: readonly PendingRequest[]): void {
  const writer = new StateBatchWriter();
  for (const { bundle, operation, key, data } of requests) writer.add(bundle, operation, key as UserStateKey, data);
  messages++;
  sendBatch(channel, writer.finish(), (error, answers) => answerAll(requests, error, answers));
}

function answerOf({ operation }: PendingRequest, { error, response }: StateResponse): StateAnswer {
  if (error) return { error };
  if (response.oneofKind !== operation) {
    return { error: `Expected a response to ${operation}, got ${String(response.oneofKind)}` };
  }
  if (response.oneofKind !== "get") return {};
  const { data, continuationToken: token } = response.get;
  return token.length ? { data, token } : { data };
}

/** Sends each request in a message of its own, in one write. */
function sendEach(channel: StateChannel, requests: readonly PendingRequest[]): void {
  const batch = new StateRequestBatch();
  for (const pending of requests) {
    const { bundle: instructionId, operation, key: stateKey, data } = pending;
    const id = `userState${channel.idCounter++}`;
    channel.callbacks.set(id, (response) => pending.answered(answerOf(pending, response)));
    const request: StateRequest["request"] =
      operation === "get"
        ? { oneofKind: operation, get: { continuationToken: data } }
        : operation === "append"
          ? { oneofKind: operation, append: { data } }
          : { oneofKind: operation, clear: {} };
    batch.add({ id, instructionId, stateKey, request });
  }
  messages += requests.length;
  channel.stateChannel.write(batch);
}

function send(channel: StateChannel, batches: Batches): void {
  const requests = batches.waiting;
  batches.waiting = [];
  batches.waitingBytes = 0;
  if (requests.length === 0) return;
  if (channel.closed || channel.error) {
    const error = channel.error ? String(channel.error) : "The state stream is closed";
    for (const request of requests) request.answered({ error });
    return;
  }
  if (mayAsk && batches.support === "unknown") ask(channel, batches);
  if (batches.support !== "yes") {
    sendEach(channel, requests);
    return;
  }
  const ofUserState = requests.filter(({ key }) => key instanceof UserStateKey);
  if (ofUserState.length) sendAsOne(channel, ofUserState);
  if (ofUserState.length < requests.length)
    sendEach(
      channel,
      requests.filter(({ key }) => !(key instanceof UserStateKey)),
    );
}

/** Sends a request with the others that are made before the running code ends. */
export function enqueue(channel: StateChannel, request: PendingRequest): void {
  let batches = batchesOf.get(channel);
  if (!batches) batchesOf.set(channel, (batches = { waiting: [], waitingBytes: 0, support: "unknown" }));
  const known = batches;
  if (known.waiting.length === 0) queueMicrotask(() => send(channel, known));
  known.waiting.push(request);
  const { key, data } = request;
  known.waitingBytes += data.length + (key instanceof UserStateKey ? key.key.length : 0);
  if (known.waitingBytes >= MAX_BATCH_BYTES) send(channel, known);
}
