import type { IncomingMessage } from "node:http";
import type { Context } from "koa";
import { RequestError } from "../http/errors";
import { requestContextOf } from "../telemetry/requestContext";
import type { ClientIds } from "./clients/clientAddress";
import type { Keys } from "./keys/keySet";
import { KEY_PLACES, presentedKey, presentedSegmentKey, SEGMENT_KEY_PLACES, type Purpose } from "./keys/presentedKey";
import type { NewIdLimits } from "./newIdLimits";
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

/** A valid key, with its rate limit if there is one. */
interface AdmittedKey {
  readonly name: string | undefined;
  readonly bucket: TokenBucket | undefined;
}

/** Checks a key and takes a token from its bucket. @throws RequestError KEY_MISSING, KEY_UNKNOWN, RATE_LIMITED */
type KeyCheck = (key: string | undefined) => AdmittedKey;

/** An admitted request. One event has been charged. */
export class Admission {
  constructor(
    private readonly address: TokenBucket | undefined,
    private key: AdmittedKey | undefined,
    /** The limits of new anonymous ids, and whom they apply to. */
    private readonly newIds: { readonly limits: NewIdLimits; readonly client: number | undefined } | undefined,
    /** Present while the key of the request is not known yet, because it may be in the body. */
    private checkKey?: KeyCheck,
  ) {}

  /** Name of the presented key; undefined when no key is required. */
  get keyName(): string | undefined {
    return this.key?.name;
  }

  /**
   * Checks the key in the body of a request that has none in its headers; does nothing for any other request.
   * @throws RequestError KEY_MISSING, KEY_UNKNOWN, RATE_LIMITED
   */
  presentKey(key: string | undefined): void {
    if (!this.checkKey) return;
    this.key = this.checkKey(key);
    this.checkKey = undefined;
  }

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
    const bucket = this.key?.bucket;
    if (bucket?.isInDebt(now)) throw rateLimited("key", bucket.waitSec(now));
    this.address?.charge(events - 1);
    bucket?.charge(events - 1);
  }

  /** Charges the anonymous ids that are new, all or none (see {@link NewIdLimits}). @throws RequestError TOO_MANY_NEW_IDS */
  chargeNewIds(anonymousIds: Iterable<string>): void {
    this.newIds?.limits.charge(anonymousIds, { client: this.newIds.client, keyName: this.keyName });
  }
}

/**
 * Admits a request or throws the error to answer with. It only looks at the headers and the address, so the body of a
 * refused request is never read.
 * @throws RequestError RATE_LIMITED, KEY_MISSING, KEY_UNKNOWN
 */
export type AdmissionCheck = (request: IncomingMessage, keyStyle?: KeyStyle) => Admission;

/** Where the key of a request may be: in its headers or its query, or where Segment's libraries put it, also in the body. */
export type KeyStyle = "own" | "segment";

export interface AdmissionCheckOptions {
  readonly purpose: Purpose;
  /** The valid keys; undefined when no key is required. */
  readonly keys: Keys | undefined;
  /** Rate limits by key name; undefined for no limit. */
  readonly keyBuckets?: TokenBuckets<string> | undefined;
  /** Identifies client addresses. */
  readonly ids: ClientIds;
  /** Rate limits by client address; undefined for no limit. */
  readonly addressBuckets?: TokenBuckets<number> | undefined;
  /** Limits of new anonymous ids; undefined for no limit. */
  readonly newIds?: NewIdLimits | undefined;
}

/** @throws RequestError KEY_MISSING, KEY_UNKNOWN */
function keyNameOf(key: string | undefined, keys: Keys, purpose: Purpose, places: string): string {
  if (key === undefined) throw new RequestError("KEY_MISSING", { detail: `${purpose} key is required, in ${places}` });
  const name = keys.nameOf(key);
  if (name === undefined) throw new RequestError("KEY_UNKNOWN", { detail: purpose });
  return name;
}

/** @returns undefined when neither keys nor limits are configured */
export function createAdmissionCheck({
  purpose,
  keys,
  keyBuckets,
  ids,
  addressBuckets,
  newIds,
}: AdmissionCheckOptions): AdmissionCheck | undefined {
  if (!keys && !addressBuckets && !newIds) return undefined;
  const hasClients = addressBuckets !== undefined || newIds !== undefined;
  const admitKey = (keys: Keys, key: string | undefined, places: string): AdmittedKey => {
    const name = keyNameOf(key, keys, purpose, places);
    const now = keyBuckets ? performance.now() : 0;
    const bucket = keyBuckets?.of(name, now);
    if (bucket) takeOne("key", bucket, now);
    return { name, bucket };
  };
  return function checkAdmission(request, keyStyle = "own") {
    // The address first, so that guessing keys is rate limited too.
    const client = hasClients ? ids.of(request) : undefined;
    const now = addressBuckets ? performance.now() : 0;
    const address = client === undefined ? undefined : addressBuckets?.of(client, now);
    if (address) takeOne("address", address, now);
    const limits = newIds && { limits: newIds, client };
    if (!keys) return new Admission(address, undefined, limits);
    if (keyStyle === "own") {
      return new Admission(address, admitKey(keys, presentedKey(request, purpose), KEY_PLACES[purpose]), limits);
    }
    const check: KeyCheck = (key) => admitKey(keys, key, SEGMENT_KEY_PLACES);
    const key = presentedSegmentKey(request);
    return key === undefined
      ? new Admission(address, undefined, limits, check)
      : new Admission(address, check(key), limits);
  };
}

/** Records the name of the key of a request, if it is known, for logs. */
export function recordKey(ctx: Pick<Context, "state">, admission: Admission | undefined): void {
  if (admission?.keyName !== undefined) requestContextOf(ctx).keyName = admission.keyName;
}

/** Runs the check, if there is one, and records the key name for logs. @throws RequestError as {@link AdmissionCheck} */
export function admit(
  ctx: Pick<Context, "req" | "state">,
  check: AdmissionCheck | undefined,
  keyStyle?: KeyStyle,
): Admission | undefined {
  const admission = check?.(ctx.req, keyStyle);
  recordKey(ctx, admission);
  return admission;
}
