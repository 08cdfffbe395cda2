import type { IncomingMessage } from "node:http";
import type { Context } from "koa";
import { RequestError } from "../http/errors";
import { requestContextOf } from "../telemetry/requestContext";
import type { ClientIds } from "./clients/clientAddress";
import type { Keys } from "./keys/keySet";
import { KEY_PLACES, presentedKey, type Purpose } from "./keys/presentedKey";
import type { TokenBucket, TokenBuckets } from "./rates/tokenBuckets";

/** What a rate limit applies to, for messages. */
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

/** An admitted request. One event has been charged. */
export class Admission {
  constructor(
    /** Name of the presented key; undefined when no key is required. */
    readonly keyName: string | undefined,
    private readonly address: TokenBucket | undefined,
    private readonly key: TokenBucket | undefined,
  ) {}

  /**
   * Charges the events of a batch, all or none; the first has been charged already. The bucket may go below zero: later
   * requests then wait longer, so the rate still holds. A batch may therefore exceed the burst, but of many concurrent
   * batches only one is accepted beyond the limit.
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
 * Admits a request or throws the error to answer with. It only looks at the headers and the address, so the body of a
 * refused request is never read.
 * @throws RequestError RATE_LIMITED, KEY_MISSING, KEY_UNKNOWN
 */
export type AdmissionCheck = (request: IncomingMessage) => Admission;

export interface AdmissionCheckOptions {
  readonly purpose: Purpose;
  /** The valid keys; undefined when no key is required. */
  readonly keys: Keys | undefined;
  /** Rate limits by key name; undefined for no limit. */
  readonly keyBuckets?: TokenBuckets<string>;
  /** Rate limits by client address; undefined for no limit. */
  readonly clients?: { readonly ids: ClientIds; readonly buckets: TokenBuckets<number> };
}

/** @throws RequestError KEY_MISSING, KEY_UNKNOWN */
function keyNameOf(request: IncomingMessage, keys: Keys, purpose: Purpose): string {
  const key = presentedKey(request, purpose);
  if (key === undefined) {
    throw new RequestError("KEY_MISSING", { detail: `${purpose} key is required, in ${KEY_PLACES[purpose]}` });
  }
  const name = keys.nameOf(key);
  if (name === undefined) throw new RequestError("KEY_UNKNOWN", { detail: purpose });
  return name;
}

/** @returns undefined when neither keys nor limits are configured */
export function createAdmissionCheck({
  purpose,
  keys,
  keyBuckets,
  clients,
}: AdmissionCheckOptions): AdmissionCheck | undefined {
  if (!keys && !clients) return undefined;
  return function checkAdmission(request) {
    // The address first, so that guessing keys is rate limited too.
    const now = clients || keyBuckets ? performance.now() : 0;
    const address = clients?.buckets.of(clients.ids.of(request), now);
    if (address) takeOne("address", address, now);
    const keyName = keys && keyNameOf(request, keys, purpose);
    const key = keyName === undefined ? undefined : keyBuckets?.of(keyName, now);
    if (key) takeOne("key", key, now);
    return new Admission(keyName, address, key);
  };
}

/** Runs the check, if there is one, and records the key name for logs. @throws RequestError as {@link AdmissionCheck} */
export function admit(ctx: Pick<Context, "req" | "state">, check: AdmissionCheck | undefined): Admission | undefined {
  const admission = check?.(ctx.req);
  if (admission?.keyName !== undefined) requestContextOf(ctx).keyName = admission.keyName;
  return admission;
}
