import type { Logger } from "pino";
import { TokenBucket } from "../access/rates/tokenBuckets";

/** Packages of Google's clients: an exception that one of them throws from a timer or a socket concerns one call. */
const CLIENT_FRAME =
  /[/\\]node_modules[/\\](?:@google-cloud|@grpc|google-[\w-]+|gcp-metadata|gaxios|gtoken|teeny-request)[/\\]/;
/** A frame of a file; frames of Node itself are skipped. */
const FILE_FRAME = /^\s+at .*(?:\(|\s|file:\/\/)([/\\]|[A-Za-z]:\\)/;

/** Rate limit of lines in the log. */
const LINES = { perSec: 1, burst: 20 };

/** Whether the code that threw an error belongs to one of Google's clients: the first frame of a file in its stack does. */
export function isFromGoogleClient(error: unknown): boolean {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  const frame = stack.split("\n").find((line) => FILE_FRAME.test(line));
  return frame !== undefined && CLIENT_FRAME.test(frame);
}

export interface UnhandledErrorsOptions {
  readonly logger: Logger;
  /** Called for each error that the process survives. */
  readonly onSurvived: () => void;
}

/**
 * Keeps the process alive when one of Google's clients fails outside of the calls that the service makes: a rejected
 * promise that nobody awaits, or an exception in a callback. The requests concerned are answered by their own deadlines. An
 * exception of other code ends the process with exit code 1, because its state is then unknown.
 */
export function surviveUnhandledErrors({ logger, onSurvived }: UnhandledErrorsOptions): void {
  const lines = new TokenBucket(LINES, performance.now());
  const survive = (err: unknown, message: string): void => {
    onSurvived();
    const now = performance.now();
    if (lines.waitSec(now) > 0) return;
    lines.charge(1);
    logger.error({ err }, message);
  };
  process.on("unhandledRejection", (reason) => survive(reason, "unhandled rejection: the replica continues"));
  process.on("uncaughtException", (error) => {
    if (isFromGoogleClient(error)) {
      survive(error, "exception in a client of Google: the replica continues");
      return;
    }
    logger.fatal({ err: error }, "unexpected exception: the replica ends");
    process.exit(1);
  });
}
