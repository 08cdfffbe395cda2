import { randomBytes, timingSafeEqual } from "node:crypto";

/**
 * The access token of a run: a secret that every call to the gRPC services of its job server and worker pool must carry.
 * These services run any code for their callers and serve files, so that without a token every user of the machine could
 * act as the user of the run.
 */

/** gRPC header that carries the token. The Java class `ServerFactory` of this library checks it. */
export const ACCESS_TOKEN_HEADER = "x-beam-access-token";
/** Environment variable that hands the token to the job server and the workers. */
export const ACCESS_TOKEN_VARIABLE = "BEAM_ACCESS_TOKEN";
/** Parameter of the request with which a runner starts a worker of an external environment. */
export const ACCESS_TOKEN_PARAMETER = "access_token";

/** A new token: 32 random bytes in hexadecimal. */
export function createAccessToken(): string {
  return randomBytes(32).toString("hex");
}

/** Compares a token that a caller presents with the right one, in constant time. */
export function isAccessToken(presented: string | undefined, token: string): boolean {
  const given = Buffer.from(presented ?? "");
  const wanted = Buffer.from(token);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}
