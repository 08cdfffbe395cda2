import { inspect } from "node:util";

/** An error whose message tells the user what to do. {@link runMain} prints it without a stack trace. */
export class UserError extends Error {
  constructor(
    message: string,
    options?: ErrorOptions & {
      /** Exit code of the process. @default 1 */
      readonly exitCode?: number;
    },
  ) {
    super(message, options);
    this.name = "UserError";
    this.exitCode = options?.exitCode ?? 1;
  }
  readonly exitCode: number;
}

/** The text of an error for a terminal: only the message of a {@link UserError}, stack and causes of every other. */
export function errorText(error: unknown): string {
  return error instanceof UserError ? error.message : inspect(error);
}

/** The exit code for an error: that of a {@link UserError}, 1 for every other. */
export function exitCodeOf(error: unknown): number {
  return error instanceof UserError ? error.exitCode : 1;
}

/**
 * Runs the main function of a program. The process exits when the function settles: with the returned code (0 when it
 * returns nothing), or with {@link exitCodeOf} the error. A service therefore returns only after it has stopped.
 *
 * @param main returns the exit code
 * @param printError prints the error. Default: {@link errorText} on standard error
 */
export function runMain(
  main: () => Promise<number | void>,
  printError: (error: unknown) => void = (error) => void process.stderr.write(`${errorText(error)}\n`),
): void {
  // An async wrapper, so that an error that main throws before its first await is handled, too.
  const run = async (): Promise<number | void> => main();
  void run().then(
    (code) => process.exit(code ?? 0),
    (error: unknown) => {
      printError(error);
      process.exit(exitCodeOf(error));
    },
  );
}
