import { randomBytes, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { UserError } from "@eventlogger/process/main";

/**
 * The access token of a run: a secret that every call to the gRPC services of its job server and worker pool must carry.
 * These services run any code for their callers and serve files, so that without a token every user of the machine could
 * act as the user of the run.
 */

/** gRPC header that carries the token. The Java class `ServerFactory` of this library checks it. */
export const ACCESS_TOKEN_HEADER = "x-beam-access-token";
/** Environment variable that hands the token to the job server and the workers. */
export const ACCESS_TOKEN_VARIABLE = "BEAM_ACCESS_TOKEN";
/** Environment variable with the path of a file that contains the token. */
export const ACCESS_TOKEN_FILE_VARIABLE = "BEAM_ACCESS_TOKEN_FILE";
/** Shortest token that a person may choose; characters. */
const MIN_TOKEN_LENGTH = 16;
/** Parameter of the request with which a runner starts a worker of an external environment. */
export const ACCESS_TOKEN_PARAMETER = "access_token";

/** A new token: 32 random bytes in hexadecimal. */
export function createAccessToken(): string {
  return randomBytes(32).toString("hex");
}

/**
 * The token of a cluster: from a file, or else from {@link ACCESS_TOKEN_VARIABLE}. Never from the command line, which every
 * user of the machine can read.
 * @throws UserError when the token is missing or too short
 */
export function readAccessToken(file: string | undefined): string {
  const source = file ?? `$${ACCESS_TOKEN_VARIABLE}`;
  let token: string;
  try {
    token = (file === undefined ? (process.env[ACCESS_TOKEN_VARIABLE] ?? "") : readFileSync(file, "utf8")).trim();
  } catch (cause) {
    throw new UserError(`Cannot read the access token: ${(cause as Error).message}`, { cause });
  }
  if (/^[\x21-\x7e]+$/.test(token) && token.length >= MIN_TOKEN_LENGTH) return token;
  throw new UserError(
    token === ""
      ? `${file === undefined ? `There is no access token: set ${ACCESS_TOKEN_FILE_VARIABLE} or ${ACCESS_TOKEN_VARIABLE}` : `${file} is empty`}. ` +
          "TaskManagers, worker pools and run need the same token; make one with: openssl rand -hex 32"
      : `The access token in ${source} must have ${MIN_TOKEN_LENGTH} characters at least, and no spaces`,
  );
}

/** Compares a token that a caller presents with the right one, in constant time. */
export function isAccessToken(presented: string | undefined, token: string): boolean {
  const given = Buffer.from(presented ?? "");
  const wanted = Buffer.from(token);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}
