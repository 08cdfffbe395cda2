import "../sdk";
import type { StateGetResponse, StateKey } from "apache-beam/proto/beam_fn_api";
import type { OperatorContext } from "apache-beam/worker/operators";
import type { MultiplexingStateChannel, StateProvider } from "apache-beam/worker/state";
import { membersOf, type StateChannel } from "../patches/stateChannel";
import type { StateAnswer, StateOperation } from "../patches/stateMessages";
import { enqueue } from "./stateBatches";

const NO_BYTES = new Uint8Array();
/** Requests that share a promise. */
const GROUP_SIZE = 256;

/** Requests of a bundle that share a promise: a bundle may have thousands. */
class RequestGroup {
  private resolve!: () => void;
  private reject!: (error: Error) => void;
  private unanswered = 0;
  size = 0;
  /** Resolves when all requests are answered; rejects when one has failed. */
  readonly answers = new Promise<void>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });

  constructor() {
    this.answers.catch(() => {}); // who awaits it reports it
  }
  add(): void {
    this.size++;
    this.unanswered++;
  }
  /** Whether a further request may share the promise: it is not settled yet. */
  get isOpen(): boolean {
    return this.unanswered > 0 && this.size < GROUP_SIZE;
  }
  answered(error: string | undefined): void {
    this.unanswered--;
    if (error !== undefined) this.reject(new Error(error));
    else if (this.unanswered === 0) this.resolve();
  }
}

/** Sends the user state requests of one bundle over the SDK's multiplexed state stream. */
export class StateClient {
  /** Number of requests that this process has sent. */
  static requests = 0;
  private readonly channel: StateChannel;
  private group: RequestGroup | undefined;

  private constructor(
    channel: MultiplexingStateChannel,
    private readonly bundle: string,
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

  private send(
    key: StateKey,
    operation: StateOperation,
    data: Uint8Array,
    answered: (answer: StateAnswer) => void,
  ): void {
    StateClient.requests++;
    enqueue(this.channel, { bundle: this.bundle, operation, key, data, answered });
  }

  private refusal(): Error | undefined {
    return this.channel.error ?? (this.channel.closed ? new Error("The state stream is closed") : undefined);
  }

  /** The group of the next request. */
  private join(): RequestGroup {
    let { group } = this;
    if (!group?.isOpen) this.group = group = new RequestGroup();
    group.add();
    return group;
  }

  /**
   * A part of the encoded elements of a bag, from a continuation token on (empty: from the beginning). An element may be cut
   * at the end of the part. Rejects when the runner reports an error or the stream breaks.
   */
  getPage(stateKey: StateKey, continuationToken: Uint8Array): Promise<StateGetResponse> {
    const refusal = this.refusal();
    if (refusal) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      this.send(stateKey, "get", continuationToken, ({ error, data = NO_BYTES, token = NO_BYTES }) => {
        if (error === undefined) resolve({ data, continuationToken: token });
        else reject(new Error(error));
      });
    });
  }

  /** The encoded elements of a bag, concatenated. Rejects as {@link getPage} does. */
  async get(stateKey: StateKey): Promise<Uint8Array> {
    const { data, continuationToken } = await this.getPage(stateKey, NO_BYTES);
    return continuationToken.length ? this.getRest(stateKey, data, continuationToken) : data;
  }

  private async getRest(stateKey: StateKey, first: Uint8Array, token: Uint8Array): Promise<Uint8Array> {
    const chunks = [first];
    for (let from = token; from.length;) {
      const page = await this.getPage(stateKey, from);
      chunks.push(page.data);
      from = page.continuationToken;
    }
    return Buffer.concat(chunks);
  }

  /**
   * Reads a bag as {@link get} does. The promise is shared with other requests of the bundle: it resolves when they are answered,
   * too, and rejects when one of them has failed.
   * @param load called with the encoded elements. An error that it throws is that of the promise
   */
  load(stateKey: StateKey, load: (bytes: Uint8Array) => void): Promise<void> {
    const refusal = this.refusal();
    if (refusal) return Promise.reject(refusal);
    const group = this.join();
    const loaded = (bytes: Uint8Array): void => {
      let failure: string | undefined;
      try {
        load(bytes);
      } catch (error) {
        failure = error instanceof Error ? error.message : String(error);
      }
      group.answered(failure);
    };
    this.send(stateKey, "get", NO_BYTES, ({ error, data = NO_BYTES, token }) => {
      if (error !== undefined) group.answered(error);
      else if (!token) loaded(data);
      else this.getRest(stateKey, data, token).then(loaded, (cause: unknown) => group.answered(String(cause)));
    });
    return group.answers;
  }

  private write(stateKey: StateKey, operation: StateOperation, data: Uint8Array): Promise<void> {
    const refusal = this.refusal();
    if (refusal) return Promise.reject(refusal);
    const group = this.join();
    this.send(stateKey, operation, data, ({ error }) => group.answered(error));
    return group.answers;
  }

  /** Adds encoded elements to a bag. The promise is shared as that of {@link load} is. */
  append(stateKey: StateKey, data: Uint8Array): Promise<void> {
    return this.write(stateKey, "append", data);
  }

  /** Empties a bag. The promise is shared as that of {@link load} is. */
  clear(stateKey: StateKey): Promise<void> {
    return this.write(stateKey, "clear", NO_BYTES);
  }
}
