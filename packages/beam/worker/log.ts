/**
 * The worker's logger: the only place outside the worker's programs that writes to the console. The runner collects what
 * is printed; see `forwardLogs`, which replaces the methods of the console, so they are looked up at each call.
 */
export const log = {
  warn: (message: string): void => console.warn(message),
  error: (message: string): void => console.error(message),
} as const;
