import assert from "node:assert/strict";
import { metricsOf } from "@eventlogger/ingest/testing/metrics";
import { waitUntil } from "@eventlogger/process/wait";

const TIMEOUT_MS = 30_000;

/**
 * Waits until a replica is ready to publish and holds nothing in flight.
 * @throws TimeoutError when it does not get there
 */
export async function assertHealthy(url: string): Promise<void> {
  const isHealthy = async (): Promise<boolean> => {
    assert.equal((await fetch(`${url}/readyz`)).status, 200, "/readyz answers 200");
    const metrics = await metricsOf(url);
    for (const name of ["ingest_events_in_flight", "ingest_bytes_in_flight", "ingest_body_bytes"]) {
      assert.equal(metrics.get(name), 0, name);
    }
    return true;
  };
  await waitUntil(`${url} to be healthy`, isHealthy, { timeoutMs: TIMEOUT_MS, intervalMs: 200, retryErrors: true });
}

/** @throws AssertionError unless a replica runs but reports that it cannot publish */
export async function assertNotReady(url: string): Promise<void> {
  assert.equal((await fetch(`${url}/readyz`)).status, 503, "/readyz answers 503");
  assert.equal((await fetch(`${url}/healthz`)).status, 200, "/healthz answers 200");
}
