import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { waitUntil } from "@eventlogger/process/wait";
import { bigQueryClient } from "./client";
import { readDailyRollups } from "./dailyRollups";
import {
  activateGeneration,
  changeGenerations,
  createGeneration,
  generationsReference,
  readGeneration,
  recordGeneration,
} from "./generations";
import {
  GenerationUnavailableError,
  LEASE_TIMES,
  LeaseHeldError,
  LeaseLostError,
  RunLease,
  type LeaseRequest,
} from "./runLease";
import { runQuery } from "./query";
import { useBigQueryEmulator } from "./testing/useBigQueryEmulator";

describe("the lease of a dataset", () => {
  const fixture = useBigQueryEmulator();
  let dataset: string;
  const leases: RunLease[] = [];
  const failed = (error: Error): never => assert.fail(error);

  beforeEach(async () => {
    dataset = await fixture.freshDataset();
    const settings = { sessionGapMs: 1_800_000, stateFormat: 3 };
    await recordGeneration(fixture.bigquery, dataset, settings);
  });
  afterEach(async () => {
    for (const lease of leases.splice(0)) await lease.release(() => {});
  });

  async function take(run: string, options: Partial<LeaseRequest> = {}): Promise<RunLease> {
    const { bigquery } = fixture;
    const holder = `host-of-${run}:1`;
    const request = { bigquery, dataset, generation: 1, run, holder, ended: [], onTrouble: () => {}, ...options };
    const lease = await RunLease.take(request);
    leases.push(lease);
    return lease;
  }
  async function column(name: string): Promise<string> {
    const sql = `SELECT IFNULL(CAST(${name} AS STRING), 'none') AS value FROM ${generationsReference(fixture.bigquery, dataset)}`;
    const [row] = await runQuery(fixture.bigquery, sql);
    return row?.text("value") ?? "no row";
  }
  /** Makes the lease expire. */
  async function expire(): Promise<void> {
    const table = generationsReference(fixture.bigquery, dataset);
    const past = "TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 1 SECOND)";
    const sql = `UPDATE ${table} SET lease_expires_at = ${past} WHERE generation = 1`;
    assert.equal(await changeGenerations(fixture.bigquery, dataset, sql), 1);
  }

  it("a second run is refused, and the error names the holder, since when it holds the lease and until when", async () => {
    const first = await take("first");
    await assert.rejects(take("second"), (error: unknown) => {
      assert(error instanceof LeaseHeldError);
      const time = "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z";
      const named = `Generation 1 of dataset ${dataset} is in use by another run: host-of-first:1, .* since (${time}), until (${time}) `;
      const [, since = "", until = ""] = new RegExp(named).exec(error.message) ?? [];
      const lastsMs = Date.parse(until) - Date.parse(since);
      assert.ok(Math.abs(lastsMs - LEASE_TIMES.durationMs) <= 1000, error.message);
      assert.match(error.message, /when its lease has expired, in 1[78]\d s, or with its --state-dir/);
      return true;
    });
    await first.release(failed);
    assert.equal(await column("lease_run"), "none");
    await take("second");
  });

  it("only one of two runs that start at the same moment gets the lease", async () => {
    const both = await Promise.allSettled([take("a"), take("b")]);
    const refused = both.filter((result) => result.status === "rejected");
    assert.equal(refused.length, 1);
    assert.ok(refused[0]?.reason instanceof LeaseHeldError, String(refused[0]?.reason));
  });

  it("a run takes over at once from runs that it knows to have ended, and from every run whose lease has expired", async () => {
    await take("killed");
    await assert.rejects(take("next", { ended: ["other"] }), LeaseHeldError);
    await take("next", { ended: ["other", "killed"] });
    assert.equal(await column("lease_run"), "next");
    await expire();
    await take("last");
    assert.equal(await column("lease_run"), "last");
  });

  it("a run extends its lease before it expires", async () => {
    await take("first", { times: { durationMs: 60_000, renewMs: 100, retryMs: 100 } });
    const before = await column("lease_expires_at");
    await waitUntil("an extension", async () => (await column("lease_expires_at")) > before);
    await assert.rejects(take("second"), LeaseHeldError);
  });

  it("a run writes with each extension up to when its numbers contain all events, and keeps that time while it is not known", async () => {
    const lastAt = (): Promise<string | null> =>
      readDailyRollups(fixture.bigquery, dataset).then(({ watermark }) => watermark);
    assert.equal(await lastAt(), null);
    let until: number | undefined;
    const lease = await take("first", { watermark: () => until });
    await lease.check();
    assert.equal(await lastAt(), null);
    until = Date.UTC(2026, 4, 17, 9, 30, 15, 250) + 0.75;
    await lease.check();
    assert.equal(await lastAt(), "2026-05-17T09:30:15.250Z");
    until = undefined;
    const before = await column("lease_expires_at");
    await lease.check();
    assert.ok((await column("lease_expires_at")) > before);
    assert.equal(await lastAt(), "2026-05-17T09:30:15.250Z");
    await lease.release(failed);
    assert.equal(await lastAt(), "2026-05-17T09:30:15.250Z");
  });

  it("a run that finds another one in its lease reports the loss and leaves the lease to it", async () => {
    const first = await take("first", { times: { ...LEASE_TIMES, renewMs: 300 } });
    await take("second", { ended: ["first"] });
    await assert.rejects(first.lost, (error: unknown) => {
      assert(error instanceof LeaseLostError);
      assert.match(error.message, /it belongs to host-of-second:1, which has held the lease since/);
      return true;
    });
    await first.release(failed);
    assert.equal(await column("lease_run"), "second");
  });

  it("each generation has a lease of its own", async () => {
    await createGeneration(fixture.bigquery, dataset, { settings: { sessionGapMs: 60_000, stateFormat: 3 } });
    await take("first");
    await take("second", { generation: 2 });
    await assert.rejects(
      take("third", { generation: 2 }),
      /^LeaseHeldError: Generation 2 of dataset .*host-of-second:1/,
    );
  });

  it("a run learns at its next look at the lease that its generation was retired, and keeps the lease until it releases it", async () => {
    await createGeneration(fixture.bigquery, dataset, { settings: { sessionGapMs: 60_000, stateFormat: 3 } });
    const first = await take("first");
    const second = await take("second", { generation: 2, times: { ...LEASE_TIMES, renewMs: 200 } });
    let isFirstRetired = false;
    void first.retired.then(() => (isFirstRetired = true));
    await first.check();
    assert.equal(isFirstRetired, false);
    await activateGeneration(fixture.bigquery, dataset, 2);
    await first.check();
    await first.retired;
    assert.equal((await readGeneration(fixture.bigquery, dataset, 1))?.lease?.run, "first");
    await first.release(failed);
    await first.check();
    assert.equal((await readGeneration(fixture.bigquery, dataset, 1))?.lease, null);
    await createGeneration(fixture.bigquery, dataset, { settings: { sessionGapMs: 60_000, stateFormat: 3 } });
    await activateGeneration(fixture.bigquery, dataset, 3);
    await second.retired;
  });

  it("a run of a retired or an unknown generation is refused", async () => {
    await createGeneration(fixture.bigquery, dataset, { settings: { sessionGapMs: 60_000, stateFormat: 3 } });
    await activateGeneration(fixture.bigquery, dataset, 2);
    await assert.rejects(take("a"), (error: unknown) => {
      assert.ok(error instanceof GenerationUnavailableError);
      assert.match(error.message, /^Generation 1 of dataset .* was retired at \d{4}-/);
      return true;
    });
    await assert.rejects(take("a", { generation: 9 }), /Generation 9 of dataset .* does not exist/);
  });

  it("a run keeps its lease over an outage of BigQuery that is longer than the lease", async () => {
    const troubles: (string | undefined)[] = [];
    const proxy = await startFaultyProxy(fixture.emulator.url);
    try {
      const bigquery = bigQueryClient({ project: fixture.project, endpoint: proxy.url }, { autoRetry: false });
      const times = { durationMs: 1000, renewMs: 100, retryMs: 100 };
      const lease = await take("first", { bigquery, times, onTrouble: (error) => troubles.push(error?.message) });
      proxy.refuse(true);
      await waitUntil("a failed extension", () => troubles.length === 1);
      await expire();
      proxy.refuse(false);
      await waitUntil("the next extension", () => troubles.length === 2);
      assert.equal(troubles[1], undefined);
      assert.equal(await column("lease_run"), "first");
      await lease.release(failed);
    } finally {
      await proxy.stop();
    }
  });
});

/** A proxy that can break every connection. */
async function startFaultyProxy(
  target: string,
): Promise<{ url: string; refuse(on: boolean): void; stop(): Promise<void> }> {
  let refusing = false;
  const server: Server = createServer((request, response) => {
    if (refusing) {
      request.socket.destroy();
      return;
    }
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { method = "GET", headers, url = "/" } = request;
      const body = method === "GET" ? null : Buffer.concat(chunks);
      const sent = new Headers({ "content-type": headers["content-type"] ?? "application/json" });
      void fetch(target + url, { method, headers: sent, body })
        .then(async (answer) => {
          response.writeHead(answer.status, {
            "content-type": answer.headers.get("content-type") ?? "application/json",
          });
          response.end(Buffer.from(await answer.arrayBuffer()));
        })
        .catch(() => request.socket.destroy());
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    refuse: (on) => void (refusing = on),
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
