/**
 * Node flags of every worker on Flink. A bundle has thousands of state requests in flight, which would otherwise survive
 * several collections of garbage.
 */
export const WORKER_NODE_ARGS: readonly string[] = ["--max-semi-space-size=32"];
