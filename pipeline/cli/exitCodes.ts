/** The command failed, or `verify` found a difference. */
export const FAILED = 1;

/** The command line or the environment is invalid. */
export const WRONG_USE = 2;

/** `run` stopped by itself, because the pipeline made no progress for `--stuck-after`. */
export const STUCK = 3;

/** A signal stopped the command: by convention 128 + SIGINT. */
export const INTERRUPTED = 130;
