import assert from "node:assert/strict";
import { metricsOf } from "@eventlogger/ingest/testing/metrics";

/** @throws AssertionError when a replica cannot publish, or holds anything of what was under way */
export async function assertWell(url: string): Promise<void> {
  assert.equal((await fetch(`${url}/readyz`)).status, 200);
  const metrics = await metricsOf(url);
  for (const held of ["ingest_events_in_flight", "ingest_bytes_in_flight", "ingest_body_bytes"]) {
    assert.equal(metrics.get(held), 0, held);
  }
}
