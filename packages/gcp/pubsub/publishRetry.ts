import type { PublishOptions } from "@google-cloud/pubsub";

/**
 * gRPC codes after which a publish is repeated: CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, INTERNAL,
 * UNAVAILABLE. https://grpc.io/docs/guides/status-codes/
 */
const RETRIED = [1, 2, 4, 8, 10, 13, 14];

/**
 * How publishes are repeated. A message published twice is one event: it has an event_id.
 * @param timeoutMs time limit of a publish with its retries; ms
 */
export function publishRetry(timeoutMs: number): NonNullable<PublishOptions["gaxOpts"]> {
  // Half of the limit, so that a lost request is sent once more.
  const rpcTimeoutMs = Math.ceil(timeoutMs / 2);
  return {
    retry: {
      retryCodes: RETRIED,
      backoffSettings: {
        initialRetryDelayMillis: 100,
        retryDelayMultiplier: 1.3,
        maxRetryDelayMillis: 1000,
        initialRpcTimeoutMillis: rpcTimeoutMs,
        rpcTimeoutMultiplier: 1,
        maxRpcTimeoutMillis: rpcTimeoutMs,
        totalTimeoutMillis: timeoutMs,
      },
    },
  };
}
