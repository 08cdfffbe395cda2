import type { IncomingMessage } from "node:http";
import type { Context } from "koa";
import { RequestError } from "../http/errors";
import { findingsOf } from "../telemetry/requestContext";
import type { ClientIds } from "./clientAddress";
import type { Keys } from "./keySet";
import { KEY_PLACES, presentedKey, type Purpose } from "./presentedKey";
import type { TokenBucket, TokenBuckets } from "./tokenBuckets";

/** What has a rate of its own, for messages. */
type Limited = "address" | "key";

function rateLimited(limited: Limited, waitSec: number): RequestError {
  return new RequestError("RATE_LIMITED", { detail: limited, retryAfterSec: Math.ceil(waitSec) });
}

/** @throws RequestError RATE_LIMITED */
function takeOne(limited: Limited, bucket: TokenBucket, now: number): void {
  const waitSec = bucket.waitSec(now);
  if (waitSec > 0) throw rateLimited(limited, waitSec);
  bucket.charge(1);
}

/** Who has been let in. One event has been charged. */
export class Admission {
  constructor(
    /** Of the key that was presented; undefined when none is needed. */
    readonly keyName: string | undefined,
    private readonly address: TokenBucket | undefined,
    private readonly key: TokenBucket | undefined,
  ) {}

  /**
   * Charges the events of a batch, all or none; the first has been charged already. There need not be tokens for all:
   * the rate is kept by what comes next, which has to wait the longer. So a batch may be larger than the burst, and of
   * many batches that are sent at once only one is taken beyond the limit.
   * @throws RequestError RATE_LIMITED
   */
  charge(events: number): void {
    if (events <= 1) return;
    const now = performance.now();
    if (this.address?.isInDebt(now)) throw rateLimited("address", this.address.waitSec(now));
    if (this.key?.isInDebt(now)) throw rateLimited("key", this.key.waitSec(now));
    this.address?.charge(events - 1);
    this.key?.charge(events - 1);
  }
}

/**
 * Lets a request in, or throws what it is to be answered with. Looks at its headers and address alone, so that the body
 * of a request that is refused need not be read.
 * @throws RequestError RATE_LIMITED, KEY_MISSING, KEY_UNKNOWN
 */
export type Gate = (request: IncomingMessage) => Admission;

export interface GateOptions {
  readonly purpose: Purpose;
  /** The keys of which one is needed; undefined: none is. */
  readonly keys: Keys | undefined;
  /** Limits for each key, by its name; undefined: there are none. */
  readonly keyBuckets?: TokenBuckets<string>;
  /** Limits for each client; undefined: there are none. */
  readonly clients?: { readonly ids: ClientIds; readonly buckets: TokenBuckets<number> };
}

/** @throws RequestError KEY_MISSING, KEY_UNKNOWN */
function keyNameOf(request: IncomingMessage, keys: Keys, purpose: Purpose): string {
  const key = presentedKey(request, purpose);
  if (key === undefined) {
    throw new RequestError("KEY_MISSING", { detail: `${purpose} key is needed, in ${KEY_PLACES[purpose]}` });
  }
  const name = keys.nameOf(key);
  if (name === undefined) throw new RequestError("KEY_UNKNOWN", { detail: purpose });
  return name;
}

/** Undefined where anybody may come in, as often as they like. */
export function createGate({ purpose, keys, keyBuckets, clients }: GateOptions): Gate | undefined {
  if (!keys && !clients) return undefined;
  return function gate(request) {
    // The address first: whoever guesses keys is limited, too.
    const now = clients || keyBuckets ? performance.now() : 0;
    const address = clients?.buckets.of(clients.ids.of(request), now);
    if (address) takeOne("address", address, now);
    const keyName = keys && keyNameOf(request, keys, purpose);
    const key = keyName === undefined ? undefined : keyBuckets?.of(keyName, now);
    if (key) takeOne("key", key, now);
    return new Admission(keyName, address, key);
  };
}

/** Lets the request of a context in, where there is a gate, and notes with which key. @throws RequestError as {@link Gate} */
export function admit(ctx: Pick<Context, "req" | "state">, gate: Gate | undefined): Admission | undefined {
  const admission = gate?.(ctx.req);
  if (admission?.keyName !== undefined) findingsOf(ctx).keyName = admission.keyName;
  return admission;
}
