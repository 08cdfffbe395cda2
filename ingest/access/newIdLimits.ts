import { RequestError } from "../http/errors";
import type { TokenBucket, TokenBuckets } from "./rates/tokenBuckets";
import { SeenIds } from "./rates/newIds";

/** The sender of a request, as far as there are limits for it. */
export interface LimitedSender {
  /** See `ClientIds`. */
  readonly client: number | undefined;
  readonly keyName: string | undefined;
}

/**
 * Limits how many new anonymous ids a sender may use. A client that makes a new id for every event would fill the state of the
 * pipeline with persons who are never seen again.
 */
export class NewIdLimits {
  private readonly seen = new SeenIds();

  constructor(
    private readonly buckets: {
      readonly addresses?: TokenBuckets<number> | undefined;
      readonly keys?: TokenBuckets<string> | undefined;
    },
  ) {}

  /**
   * Charges the ids that this replica has not seen lately, all or none. As with rate limits, a bucket may go below zero.
   * @throws RequestError TOO_MANY_NEW_IDS
   */
  charge(ids: Iterable<string>, { client, keyName }: LimitedSender): void {
    const unseen = this.seen.unseen(ids);
    if (unseen.size === 0) return;
    const now = performance.now();
    const address = client === undefined ? undefined : this.buckets.addresses?.of(client, now);
    const key = keyName === undefined ? undefined : this.buckets.keys?.of(keyName, now);
    check("address", address, now);
    check("key", key, now);
    address?.charge(unseen.size);
    key?.charge(unseen.size);
    this.seen.add(unseen);
  }
}

function check(limited: "address" | "key", bucket: TokenBucket | undefined, now: number): void {
  const waitSec = bucket?.waitSec(now) ?? 0;
  if (waitSec === 0) return;
  throw new RequestError("TOO_MANY_NEW_IDS", {
    field: "anonymous_id",
    detail: limited,
    retryAfterSec: Math.ceil(waitSec),
  });
}
