import { ClientIds } from "./clients/clientAddress";
import { createAdmissionCheck, type AdmissionCheck } from "./admission";
import type { Keys } from "./keys/keySet";
import type { Purpose } from "./keys/presentedKey";
import { TokenBuckets, type RateLimit } from "./rates/tokenBuckets";

export interface AccessSettings {
  /** Keys for sending events; undefined when none is required. */
  readonly writeKeys?: Keys;
  /** Keys for reading the rollups; undefined when none is required. */
  readonly readKeys?: Keys;
  /** Limit per key name, separately for events and for reads. */
  readonly keyRate?: RateLimit;
  /** Limit per client address, separately for events and for reads. */
  readonly addressRate?: RateLimit;
  /** See {@link ClientIds}. */
  readonly trustedProxies: readonly string[];
  readonly onUntrustedProxy: () => void;
}

export interface AccessControl {
  /** Each is undefined when there is nothing to check. */
  readonly write: AdmissionCheck | undefined;
  readonly read: AdmissionCheck | undefined;
}

/** @param maxBatchEvents the highest charge of one request */
export function createAccessControl(settings: AccessSettings, maxBatchEvents: number): AccessControl {
  const { keyRate, addressRate, trustedProxies, onUntrustedProxy } = settings;
  const ids = new ClientIds({ trustedProxies, onUntrustedProxy });
  const maxCharge = maxBatchEvents;
  const checkFor = (purpose: Purpose, keys: Keys | undefined): AdmissionCheck | undefined => {
    const keyBuckets = keyRate && new TokenBuckets<string>({ ...keyRate, maxCharge });
    const clients = addressRate && { ids, buckets: new TokenBuckets<number>({ ...addressRate, maxCharge }) };
    return createAdmissionCheck({ purpose, keys, keyBuckets, clients });
  };
  return { write: checkFor("write", settings.writeKeys), read: checkFor("read", settings.readKeys) };
}
