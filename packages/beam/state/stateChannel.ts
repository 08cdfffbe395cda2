import "../sdk";
import type { StateGetResponse, StateKey, StateRequest, StateResponse } from "apache-beam/proto/beam_fn_api";
import type { OperatorContext } from "apache-beam/worker/operators";
import type { MultiplexingStateChannel, StateProvider } from "apache-beam/worker/state";
import { membersOf, type StateChannel } from "../patches/stateChannel";
import { enqueue } from "./stateBatches";

type ResponseKind = "get" | "append" | "clear";
type ResponseOf<K extends ResponseKind> = Extract<StateResponse["response"], { oneofKind: K }>;

/** Sends the user state requests of one bundle over the SDK's multiplexed state stream. */
export class StateClient {
  /** Number of requests that this process has sent. */
  static requests = 0;
  private readonly channel: StateChannel;

  private constructor(
    channel: MultiplexingStateChannel,
    private readonly instructionId: string,
  ) {
    this.channel = membersOf(channel);
  }

  /** The client for the bundle that `context` is processing. */
  static forBundle(context: OperatorContext): StateClient {
    let provider = context.getStateProvider() as StateProvider & { underlying?: StateProvider };
    while (provider.underlying) provider = provider.underlying;
    const { multiplexingChannel } = provider as unknown as { multiplexingChannel: MultiplexingStateChannel };
    return new StateClient(multiplexingChannel, context.getBundleId());
  }

  private send<K extends ResponseKind>(
    stateKey: StateKey,
    request: StateRequest["request"],
    expected: K,
  ): Promise<ResponseOf<K>> {
    const { channel, instructionId } = this;
    if (channel.closed) return Promise.reject(new Error("The state stream is closed"));
    if (channel.error) return Promise.reject(channel.error);
    StateClient.requests++;
    return new Promise((resolve, reject) => {
      const id = `userState${channel.idCounter++}`;
      channel.callbacks.set(id, ({ error, response }) => {
        if (error) reject(new Error(error));
        else if (response.oneofKind !== expected) {
          reject(new Error(`Expected a response to ${expected}, got ${String(response.oneofKind)}`));
        } else resolve(response as ResponseOf<K>);
      });
      enqueue(channel, { id, instructionId, stateKey, request });
    });
  }

  /**
   * A part of the encoded elements of a bag, from a continuation token on (empty: from the beginning). An element may be cut
   * at the end of the part. Rejects when the runner reports an error or the stream breaks.
   */
  async getPage(stateKey: StateKey, continuationToken: Uint8Array): Promise<StateGetResponse> {
    const { get } = await this.send(stateKey, { oneofKind: "get", get: { continuationToken } }, "get");
    return get;
  }

  /** The encoded elements of a bag, concatenated. Rejects as {@link getPage} does. */
  async get(stateKey: StateKey): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    let continuationToken: Uint8Array = new Uint8Array();
    do {
      const page = await this.getPage(stateKey, continuationToken);
      if (page.data.length) chunks.push(page.data);
      continuationToken = page.continuationToken;
    } while (continuationToken.length);
    return chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks);
  }

  /** Adds encoded elements to a bag. Rejects as {@link get} does. */
  async append(stateKey: StateKey, data: Uint8Array): Promise<void> {
    await this.send(stateKey, { oneofKind: "append", append: { data } }, "append");
  }

  /** Empties a bag. Rejects as {@link get} does. */
  async clear(stateKey: StateKey): Promise<void> {
    await this.send(stateKey, { oneofKind: "clear", clear: {} }, "clear");
  }
}
