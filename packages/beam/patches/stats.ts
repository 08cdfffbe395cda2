/** Counters of this process, over all its workers. */
export const workerStats = { bundles: 0, failedBundles: 0, finalized: 0, abortedFinalizers: 0, refusedSplits: 0 };
