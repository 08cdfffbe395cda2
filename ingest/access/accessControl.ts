import { ClientIds } from "./clients/clientAddress";
import { createAdmissionCheck, type AdmissionCheck } from "./admission";
import { NewIdLimits } from "./newIdLimits";
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
  /** Limit of new anonymous ids per key name. */
  readonly keyNewIds?: RateLimit | undefined;
  /** Limit of new anonymous ids per client address. */
  readonly addressNewIds?: RateLimit | undefined;
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
  const { keyRate, addressRate, keyNewIds, addressNewIds, trustedProxies, onUntrustedProxy } = settings;
  const ids = new ClientIds({ trustedProxies, onUntrustedProxy });
  const maxCharge = maxBatchEvents;
  const buckets = <Client extends string | number>(rate: RateLimit | undefined): TokenBuckets<Client> | undefined =>
    rate && new TokenBuckets<Client>({ ...rate, maxCharge });
  const checkFor = (purpose: Purpose, keys: Keys | undefined, newIds?: NewIdLimits): AdmissionCheck | undefined =>
    createAdmissionCheck({
      ...{ purpose, keys, ids, newIds },
      keyBuckets: buckets<string>(keyRate),
      addressBuckets: buckets<number>(addressRate),
    });
  const newIds =
    keyNewIds || addressNewIds
      ? new NewIdLimits({ addresses: buckets<number>(addressNewIds), keys: buckets<string>(keyNewIds) })
      : undefined;
  return { write: checkFor("write", settings.writeKeys, newIds), read: checkFor("read", settings.readKeys) };
}
