import type { Subscription } from "@google-cloud/pubsub";

/** Parts of the client that are private in its types. */
interface ClientSubscriber {
  readonly _inventory?: {
    /** @returns the time until the next extension of all leases; ms */
    _getNextExtensionTimeoutMs(): number;
  };
  readonly _stream?: { readonly _streams: readonly { readonly stream?: PullStream }[] };
}

interface PullStream {
  pause(): void;
  resume(): void;
}

/**
 * Controls what the client leaves uncontrolled in an open subscription: when leases are extended, and when the pull pauses.
 */
export class PullControl {
  private readonly client: Required<ClientSubscriber>;
  private paused = false;

  /**
   * Replaces the schedule by which the client extends the leases of its messages: at a random time between a sixth and a third
   * of the lease, so that a stall of up to two thirds of the lease causes no redelivery.
   *
   * The client waits 90 % of the lease minus the latency of earlier extensions, times a random number between 0 and 1. It measures
   * the latency with the clock of the host. If the latency exceeds the lease, because Pub/Sub did not answer for a while or because
   * the clock stepped ahead, the wait is negative: the client extends every lease without a pause, and runs out of memory. If the
   * clock stepped back, the client extends no lease at all.
   *
   * @param subscription has a listener for messages, which opens it
   * @param leaseSec minimum and maximum of the client's ack deadline; s
   * @throws Error when the client is not as expected: its version has changed
   */
  constructor(subscription: Subscription, leaseSec: number) {
    const { _subscriber: client } = subscription as unknown as { readonly _subscriber?: ClientSubscriber };
    const { _inventory, _stream } = client ?? {};
    if (typeof _inventory?._getNextExtensionTimeoutMs !== "function" || !Array.isArray(_stream?._streams)) {
      throw new Error("This version of @google-cloud/pubsub is unknown: its subscriber has other parts");
    }
    _inventory._getNextExtensionTimeoutMs = () => (leaseSec * 1000 * (1 + Math.random())) / 6;
    this.client = client as Required<ClientSubscriber>;
  }

  get isPaused(): boolean {
    return this.paused;
  }

  /**
   * Stops reading messages, so that the flow control of HTTP/2 stops the server. The client's own pause reaches only a stream
   * that its messages bypass. Call it again when a message still arrives: the client may have opened another stream.
   */
  pause(): void {
    this.paused = true;
    for (const { stream } of this.client._stream._streams) stream?.pause();
  }

  /** Reads messages again. */
  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    for (const { stream } of this.client._stream._streams) stream?.resume();
  }
}
