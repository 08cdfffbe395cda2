import type { IncomingMessage } from "node:http";
import type { Context } from "koa";
import { RequestError } from "../errors";
import { findingsOf } from "../findings";
import type { Keys } from "./keySet";
import { KEY_PLACES, presentedKey, type Purpose } from "./presentedKey";

/** Who has been let in. */
export interface Admission {
  /** Of the key that was presented; undefined when none is needed. */
  readonly keyName: string | undefined;
}

/**
 * Lets a request in, or throws what it is to be answered with. Looks at its headers and address alone, so that the body
 * of a request that is refused need not be read.
 * @throws RequestError KEY_MISSING, KEY_UNKNOWN
 */
export type Gate = (request: IncomingMessage) => Admission;

export interface GateOptions {
  readonly purpose: Purpose;
  /** The keys of which one is needed; undefined: none is. */
  readonly keys: Keys | undefined;
}

/** Undefined where anybody may come in. */
export function createGate({ purpose, keys }: GateOptions): Gate | undefined {
  if (!keys) return undefined;
  return function gate(request) {
    const key = presentedKey(request, purpose);
    if (key === undefined)
      throw new RequestError("KEY_MISSING", { detail: `${purpose} key is needed, in ${KEY_PLACES[purpose]}` });
    const keyName = keys.nameOf(key);
    if (keyName === undefined) throw new RequestError("KEY_UNKNOWN", { detail: purpose });
    return { keyName };
  };
}

/** Lets the request of a context in, where there is a gate, and notes with which key. @throws RequestError as {@link Gate} */
export function admit(ctx: Pick<Context, "req" | "state">, gate: Gate | undefined): Admission | undefined {
  const admission = gate?.(ctx.req);
  if (admission?.keyName !== undefined) findingsOf(ctx).keyName = admission.keyName;
  return admission;
}
