/**
 * One way to configure every program: an option is a flag (`--pubsub-timeout-ms`) and an environment variable of the same
 * name in upper snake case (`PUBSUB_TIMEOUT_MS`). A flag wins over its variable. All values are checked together, so that
 * one error lists all problems.
 */
export { atLeast, between, matches, wholeNumber } from "./checks";
export { formatDuration, parseDuration } from "./duration";
export { envName, flagName, type Options, type OptionSpec, type OptionSpecs } from "./optionSpec";
export { CONFIG_ERROR_EXIT_CODE, ConfigError, readOptions } from "./readOptions";
export { yargsOptions } from "./yargsOptions";
