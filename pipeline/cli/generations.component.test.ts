import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import path from "node:path";
import {
  activateGeneration,
  createGeneration,
  readGenerations,
  recordGeneration,
  recordJob,
  recordResources,
  retireGeneration,
} from "@eventlogger/gcp/bigquery/generations";
import { RunLease } from "@eventlogger/gcp/bigquery/runLease";
import { rollupVersion } from "@eventlogger/gcp/bigquery/testing/rows";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { startPubSubEmulator, type PubSubEmulator } from "@eventlogger/gcp/emulators/emulators";
import { eventlogger, type CliRun } from "./testing/eventlogger";

const SECRET = "00112233445566778899aabbccddeeff";

describe("eventlogger generations", () => {
  const warehouse = useBigQueryEmulator();
  let directory: string;
  let pubsub: PubSubEmulator;
  let dataset: string;
  before(async () => {
    directory = mkdtempSync(path.join(tmpdir(), "generations-"));
    pubsub = await startPubSubEmulator({ logFile: path.join(directory, "log") });
    // Only its subscription is used.
    const setup = await eventlogger(["setup"], { env: env() });
    assert.equal(setup.code, 0, setup.stderr);
  });
  after(async () => {
    await pubsub?.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  beforeEach(async () => {
    dataset = await warehouse.freshDataset();
  });

  function env(): Record<string, string> {
    return { PUBSUB_EMULATOR_HOST: pubsub.host, BIGQUERY_ENDPOINT: warehouse.emulator.url };
  }
  const generations = (...args: string[]): Promise<CliRun> =>
    eventlogger(["generations", ...args, "--dataset", dataset], { env: env() });
  const resources = { subscription: "events-pipeline", replayTopic: null, replaySubscription: null };
  /** Creates generation 1, which is active, and generation 2, with a subscription that exists. */
  async function twoGenerations(): Promise<void> {
    const first = { sessionGapMs: 1_800_000, shardHashSecret: SECRET, stateFormat: 3 };
    await recordGeneration(warehouse.bigquery, dataset, first, resources);
    const settings = { ...first, sessionGapMs: 600_000, timeZone: "Europe/Berlin", countBots: true };
    await createGeneration(warehouse.bigquery, dataset, { settings, resources: () => resources });
  }
  async function statuses(): Promise<string> {
    const all = await readGenerations(warehouse.bigquery, dataset);
    return all.map(({ generation, status }) => `${generation} ${status}`).join(", ");
  }
  /** Records that Flink computes a generation on this machine. @returns its state directory, with the record of a checkpoint */
  async function computeOnFlink(generation: number): Promise<string> {
    const stateDirectory = path.join(directory, dataset, `generation-${generation}`);
    mkdirSync(stateDirectory, { recursive: true });
    writeFileSync(path.join(stateDirectory, "current.json"), "{}");
    await recordJob(warehouse.bigquery, dataset, generation, { runner: "flink", stateDirectory, host: hostname() });
    return stateDirectory;
  }

  it("lists the definitions, the numbers and the runs of all generations, and never the secret in their settings", async () => {
    assert.match((await generations()).stdout, /has no generation\. The first start of the pipeline creates it/);
    await twoGenerations();
    const stateDirectory = await computeOnFlink(1);
    const { bigquery } = warehouse;
    const lease = { bigquery, dataset, generation: 1, run: "r", holder: "h:1", ended: [], onTrouble: () => {} };
    const held = await RunLease.take(lease);
    const rows = ["2024-05-01", "2024-05-02"].map((date) =>
      rollupVersion({ generation: 1, date, session_count: 700, new_user_count: 3 }),
    );
    await bigquery.dataset(dataset).table("daily_rollup_versions").insert(rows);
    const { stdout, code } = await generations("list");
    assert.equal(code, 0);
    const [headings, first, second, ...others] = stdout.trimEnd().split("\n");
    const time = "\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d";
    assert.match(
      headings ?? "",
      /^generation {2}status +gap {2}time zone +bots +days {2}sessions {2}users {2}created +active since/,
    );
    assert.match(
      first ?? "",
      new RegExp(
        `^1 +active +30m +UTC +not counted +2 +1,400 +6 +${time} +${time} +${stateDirectory} on ${hostname()}, running \\(h:1\\)$`,
      ),
    );
    assert.match(second ?? "", new RegExp(`^2 +building +10m +Europe/Berlin +counted +0 +0 +0 +${time} +- +-$`));
    assert.deepEqual(others, []);
    const json = await generations("--json");
    const document = JSON.parse(json.stdout) as { generations: Record<string, unknown>[] };
    assert.deepEqual(
      document.generations.map(({ generation, status, sessionGapMs, timeZone, countBots, ...rest }) => {
        const { days, sessions, users, running } = rest;
        return [generation, status, sessionGapMs, timeZone, countBots, days, sessions, users, running];
      }),
      [
        [1, "active", 1_800_000, "UTC", false, 2, 1400, 6, true],
        [2, "building", 600_000, "Europe/Berlin", true, 0, 0, 0, false],
      ],
    );
    assert(!(stdout + json.stdout).includes(SECRET));
    await held.release((error) => assert.fail(error));
  });

  it("activate switches readers back to a generation whose run can go on, and asks the run of the other one to look at its lease", async () => {
    await twoGenerations();
    const [first, second] = [await computeOnFlink(1), await computeOnFlink(2)];
    await activateGeneration(warehouse.bigquery, dataset, 2, { keepOld: true });
    const { code, stdout, stderr } = await generations("activate", "1");
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^active generation 1; generation 2 is retired\nStart its pipeline: `eventlogger run`\n$/);
    assert.equal(await statuses(), "1 active, 2 retired");
    assert.deepEqual(
      [first, second].map((state) => existsSync(path.join(state, "check-lease"))),
      [false, true],
    );
    assert.match((await generations("activate", "1")).stdout, /^active generation 1 \(it was active already\)\n/);
    const back = await generations("activate", "2", "--keep-old");
    assert.match(back.stdout, /^active generation 2; generation 1 is computed further\n/);
    assert.equal(await statuses(), "1 building, 2 active");
  });

  it("activate refuses a generation that nothing can compute further, with the reason, and changes nothing", async () => {
    await twoGenerations();
    const { bigquery } = warehouse;
    const refused = async (number: string, reason: RegExp, unchanged = "1 building, 2 active"): Promise<void> => {
      const { code, stderr } = await generations("activate", number);
      assert.equal(code, 1);
      assert.match(stderr, new RegExp(`Cannot activate generation ${number} of dataset ${dataset}: `));
      assert.match(stderr, reason);
      assert.equal(await statuses(), unchanged);
    };
    await refused("2", /its numbers are not complete yet\. The rebuild that makes it/, "1 active, 2 building");
    await activateGeneration(bigquery, dataset, 2, { keepOld: true });
    await refused("9", /it does not exist/);
    await refused("1", /nothing computes it, and what did is unknown/);
    const stateDirectory = await computeOnFlink(1);
    await recordJob(bigquery, dataset, 1, { runner: "flink", stateDirectory, host: "another-host" });
    await refused("1", /its state is in .*generation-1 on another-host: start its run, or use this command there/);
    await computeOnFlink(1);
    rmSync(stateDirectory, { recursive: true });
    await refused("1", /its state in .*generation-1 no longer exists/);
    await computeOnFlink(1);
    await recordResources(bigquery, dataset, 1, { subscription: "events-pipeline-gone" });
    await refused("1", /Subscription events-pipeline-gone does not exist/);
    await retireGeneration(bigquery, dataset, 1);
    await createGeneration(bigquery, dataset, { settings: { sessionGapMs: 60_000, stateFormat: 3 } });
    await retireGeneration(bigquery, dataset, 3);
    await refused("3", /it was aborted before its numbers were complete/, "1 retired, 2 active, 3 retired");
  });

  it("activate without the number of a generation, and an unknown action, exit with 2", async () => {
    const [none, wrong, other] = await Promise.all([
      generations("activate"),
      generations("activate", "two"),
      generations("retire", "2"),
    ]);
    assert.deepEqual([none.code, wrong.code, other.code], [2, 2, 2]);
    assert.match(none.stderr, /generations activate must be followed by the number of a generation/);
    assert.match(wrong.stderr, /, not "two"/);
    assert.match(other.stderr, /generations must be followed by list or activate, not "retire"/);
  });
});
