import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import path from "node:path";
import { startBigQueryEmulator, startPubSubEmulator, type PubSubEmulator } from "@eventlogger/gcp/emulators/emulators";
import { CheckpointRecorder } from "@eventlogger/beam/flink/checkpoints/checkpointRecord";
import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { setUpBigQuery } from "@eventlogger/gcp/bigquery/setup/setUpBigQuery";
import { runQuery } from "@eventlogger/gcp/bigquery/query";
import {
  generationsReference,
  readActiveGeneration,
  recordGeneration,
  replaceGenerationSettings,
  type GenerationSettings,
} from "@eventlogger/gcp/bigquery/generations";
import type { RunLease } from "@eventlogger/gcp/bigquery/runLease";
import { LabelledGeneration } from "@eventlogger/gcp/bigquery/stateLabels";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { rollupVersion } from "@eventlogger/gcp/bigquery/testing/rows";
import { generationSettings } from "../generationSettings";
import { claimDataset } from "../runners/flink/claimDataset";
import { stateSettings } from "../runners/flink/runOnFlink";
import { beginBoundRun, labelProgress, StateTablesMismatchError } from "../runners/flink/stateBinding";
import { StateDirectory, type RunStart, type StateSettings } from "../runners/flink/stateDirectory";
import { createSnapshot } from "../snapshot/createSnapshot";
import { nextSteps, type RestoredState } from "../snapshot/restoredState";
import { recordReplayed, restoreSnapshot } from "../snapshot/restoreSnapshot";
import { versionFloor } from "../totals/versionNumbers";
import { chooseGeneration } from "./run/chooseGeneration";
import { eventlogger, type CliRun } from "./testing/eventlogger";

const NEITHER = { fresh: false, acceptWrongNumbers: false };

describe("eventlogger run with the state of its tables", () => {
  const bigquery = useBigQueryEmulator();
  let directory: string;
  let pubsub: PubSubEmulator;
  let dataset: string;
  let stateDir: string;
  before(async () => {
    directory = mkdtempSync(path.join(tmpdir(), "run-state-"));
    pubsub = await startPubSubEmulator({ logFile: path.join(directory, "log") });
    const env = { PUBSUB_EMULATOR_HOST: pubsub.host, BIGQUERY_ENDPOINT: bigquery.emulator.url };
    const setup = await eventlogger(["setup"], { env });
    assert.equal(setup.code, 0, setup.stderr);
  });
  after(async () => {
    await pubsub?.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  beforeEach(async () => {
    dataset = await bigquery.freshDataset();
    stateDir = path.join(directory, dataset);
  });

  const tables = (): LabelledGeneration => new LabelledGeneration(bigquery.bigquery, dataset, 1);
  const settings = (): ReturnType<typeof stateSettings> =>
    stateSettings({
      ...{ project: bigquery.project, subscription: "events-pipeline", dataset },
      ...{ generation: 1, sessionGapMs: 1_800_000, timeZone: "UTC", sessionWindows: "state" },
    });

  /** Begins a run like the command, but without a pipeline. */
  async function begin(at: string, options = NEITHER): Promise<RunStart> {
    // A run records the generation when it claims it.
    await recordGeneration(bigquery.bigquery, dataset, generationSettings(1_800_000));
    const state = await StateDirectory.open(at);
    return beginBoundRun(state, tables(), settings(), options).finally(() => state.close());
  }
  /** Completes and records a checkpoint, like the worker of a run. @returns its folder */
  async function completeCheckpoint({ checkpointRecord }: RunStart, number: number): Promise<string> {
    const { checkpoints, run } = checkpointRecord;
    const folder = path.join(checkpoints, `run-${run}`, `job-${run}`, `chk-${number}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, "_metadata"), `metadata of ${number}`);
    await new CheckpointRecorder(checkpointRecord).record();
    return folder;
  }
  async function addNumbers(): Promise<void> {
    const table = bigquery.bigquery.dataset(dataset).table("daily_rollup_versions");
    await table.insert([rollupVersion({ date: "2026-05-01", session_count: 27 })]);
  }
  async function recreate(table: string): Promise<void> {
    await bigquery.bigquery.dataset(dataset).table(table).delete();
    await setUpBigQuery(bigquery.bigquery, { dataset });
  }
  /** Simulates a run that counted events and stopped. @returns the folder of its checkpoint */
  async function counted(): Promise<string> {
    const folder = await completeCheckpoint(await begin(stateDir), 7);
    await addNumbers();
    return folder;
  }
  /** Runs the command. In all tests it exits before Flink starts. */
  function run(at: string, ...args: string[]): Promise<CliRun> {
    const env = { PUBSUB_EMULATOR_HOST: pubsub.host, BIGQUERY_ENDPOINT: bigquery.emulator.url };
    // The checkpoints that the tests write are of the heap.
    return eventlogger(["run", "--dataset", dataset, "--state-dir", at, "--state-backend", "heap", ...args], { env });
  }

  it("labels empty tables with the state at the first start, and resumes from its last checkpoint", async () => {
    const folder = await counted();
    const labels = await tables().labels();
    assert.equal(labels?.run, 1);
    const next = await begin(stateDir);
    assert.equal(next.restoreFrom?.directory, folder);
    assert.deepEqual(await tables().labels(), { state: labels.state, run: 2, checkpoint: 7 });
  });

  it("a start without state over numbers is refused: it would count from zero, and the error has the command that makes them again", async () => {
    await counted();
    const other = `${stateDir}-other`;
    const { code, stdout, stderr } = await run(other);
    assert.equal(code, 1, stdout);
    assert.match(
      stderr,
      new RegExp(`${other} contains no state, but generation 1 of ${dataset} has numbers from the state`),
    );
    assert.match(stderr, /would be counted from zero/);
    assert.match(stderr, /Use the --state-dir that belongs to these numbers/);
    assert.match(
      stderr,
      new RegExp(
        `\n  eventlogger rebuild --dataset ${dataset} --bigquery-endpoint http://\\S+ --state-dir ${other} --take-over\n`,
      ),
    );
    assert.match(stderr, /--fresh --accept-wrong-numbers/);
    assert(!existsSync(path.join(other, "logs", "job-server.log")), "Flink was not started");
  });

  it("refuses state that belongs to other tables", async () => {
    await counted();
    const mine = (await tables().labels())?.state;
    const other = `${stateDir}-other`;
    cpSync(stateDir, other, { recursive: true });
    const identity = { stateId: "00000000-0000-4000-8000-000000000000", tablesLabelled: true };
    writeFileSync(path.join(other, "settings.json"), JSON.stringify({ ...settings(), ...identity }));
    const { code, stderr } = await run(other);
    assert.equal(code, 1);
    assert(stderr.includes("contains the state 00000000-0000-4000-8000-000000000000"));
    assert(stderr.includes(`come from the state ${mine}`));
  });

  it("refuses --fresh for tables with numbers, and keeps the state", async () => {
    const folder = await counted();
    const { code, stderr } = await run(stateDir, "--fresh");
    assert.equal(code, 1);
    assert.match(stderr, /--fresh deletes the state, but .* has numbers from the state/);
    assert(existsSync(path.join(folder, "_metadata")));
    assert.equal((await begin(stateDir)).restoreFrom?.directory, folder);
  });

  it("starts with empty state and new labels with --fresh --accept-wrong-numbers", async () => {
    await counted();
    const before = await tables().labels();
    const start = await begin(stateDir, { fresh: true, acceptWrongNumbers: true });
    assert.equal(start.restoreFrom, undefined);
    const after = await tables().labels();
    assert.notEqual(after?.state, before?.state);
    assert.deepEqual(readdirSync(path.join(stateDir, "checkpoints")), []);
    await begin(stateDir); // the new state belongs to the tables
  });

  it("exits with 2 for --accept-wrong-numbers without --fresh", async () => {
    const { code, stderr } = await run(stateDir, "--accept-wrong-numbers");
    assert.equal(code, 2);
    assert.match(stderr, /--accept-wrong-numbers \(ACCEPT_WRONG_NUMBERS\) requires --fresh/);
    assert(!existsSync(stateDir));
  });

  it("accepts --fresh, and a new state directory, for tables without numbers", async () => {
    await completeCheckpoint(await begin(stateDir), 1);
    assert.equal((await begin(stateDir, { fresh: true, acceptWrongNumbers: false })).restoreFrom, undefined);
    assert.equal((await begin(`${stateDir}-other`)).restoreFrom, undefined);
  });

  it("refuses a truncated checkpoint, names the file, and does not resume from an older one", async () => {
    const start = await begin(stateDir);
    const older = await completeCheckpoint(start, 6);
    const newest = await completeCheckpoint(start, 7);
    await addNumbers();
    writeFileSync(path.join(newest, "_metadata"), "meta");
    const { code, stderr } = await run(stateDir);
    assert.equal(code, 1);
    assert(stderr.includes(`${path.join(newest, "_metadata")} has 4 bytes`), stderr);
    assert(stderr.includes(`Older checkpoints exist (${older})`), stderr);
    assert.match(stderr, /would lose the events that were acknowledged since/);
  });

  it("resumes from a copy of the state, and then refuses the original, which lacks later events", async () => {
    await counted();
    const copy = `${stateDir}-copy`;
    cpSync(stateDir, copy, { recursive: true });
    assert.equal((await begin(copy)).restoreFrom?.number, 7);
    const { code, stderr } = await run(stateDir);
    assert.equal(code, 1);
    assert.match(stderr, /contains an old copy of the state: it ends with run 1 and .* was written by run 2 and/);
  });

  it("refuses a copy of the state that was made earlier in the same run", async () => {
    const start = await begin(stateDir);
    await completeCheckpoint(start, 6);
    const copy = `${stateDir}-copy`;
    cpSync(stateDir, copy, { recursive: true });
    const state = await StateDirectory.open(stateDir);
    const failed = (error: Error): never => assert.fail(error);
    const lastLabel = labelProgress(state, tables(), { everyMs: 60_000, onError: failed });
    await completeCheckpoint(start, 7);
    await lastLabel();
    state.close();
    const { code, stderr } = await run(copy);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /an old copy of the state: it ends with run 1 and checkpoint 6, but .* run 1 and checkpoint 7/,
    );
    assert.equal((await begin(stateDir)).restoreFrom?.number, 7);
  });

  describe("from a snapshot", () => {
    let snapshot: string;
    /** Makes a snapshot of a run, which then goes on to checkpoint 9 and run 2, and restores it. @returns the new folder */
    async function restored(): Promise<string> {
      await counted();
      snapshot = (await createSnapshot({ stateDir, to: `${stateDir}.tar` })).file;
      await completeCheckpoint(await begin(stateDir), 9);
      return restore(`${stateDir}-restored`);
    }
    async function restore(at: string): Promise<string> {
      await restoreSnapshot({ from: snapshot, stateDir: at });
      return at;
    }

    it("accepts a restored snapshot that is older than the numbers, with a warning, and then refuses the newer state", async () => {
      const at = await restored();
      const start = await begin(at);
      assert.equal(start.restoreFrom?.number, 7);
      assert.match(nextSteps(at, start.restored as RestoredState), /eventlogger replay --from \d{4}-\d\d-\d\d/);
      assert.equal(start.run, 3, "later than the runs of the lost directory");
      await assert.rejects(begin(stateDir), /contains an old copy of the state: it ends with run 2/);
      assert.equal((await begin(at)).run, 4);
    });

    it("warns at each start until the replay is recorded", async () => {
      const at = await restored();
      assert((await begin(at)).restored);
      assert((await begin(at)).restored);
      recordReplayed(at);
      assert.equal((await begin(at)).restored, undefined);
    });

    it("accepts the same snapshot again after another loss, but a restored folder only once", async () => {
      const first = await restored();
      await begin(first);
      const second = await restore(`${stateDir}-second`);
      assert.equal((await begin(second)).run, 4);
      await assert.rejects(begin(first), /contains an old copy of the state: it ends with run 3/);
    });

    it("refuses the snapshot of another state, and a restore that was interrupted", async () => {
      const at = await restored();
      const mark = path.join(at, "restored.json");
      const content = readFileSync(mark, "utf8");
      writeFileSync(mark, content.replace('"complete": true', '"complete": false'));
      await assert.rejects(begin(at), /was interrupted. Run the same `eventlogger restore` again/);
      writeFileSync(mark, content);
      await begin(`${stateDir}-fresh`, { fresh: true, acceptWrongNumbers: true });
      await assert.rejects(begin(at), StateTablesMismatchError);
      const start = await begin(at, { fresh: true, acceptWrongNumbers: true });
      assert.equal(start.restored, undefined);
    });
  });

  it("adopts the state and the tables of a version without ids, but only once", async () => {
    const folder = path.join(stateDir, "checkpoints", "job", "chk-9");
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, "_metadata"), "metadata");
    writeFileSync(path.join(stateDir, "settings.json"), JSON.stringify(settings()));
    await addNumbers();
    assert.equal((await begin(stateDir)).restoreFrom?.directory, folder);
    const labels = await tables().labels();
    assert.equal(labels?.run, 1);
    // A second state of that version does not belong to the tables.
    const other = `${stateDir}-other`;
    cpSync(path.join(stateDir, "checkpoints"), path.join(other, "checkpoints"), { recursive: true });
    writeFileSync(path.join(other, "settings.json"), JSON.stringify(settings()));
    await assert.rejects(begin(other), StateTablesMismatchError);
  });

  /** Takes the lease like the command, and keeps it, as a run that was killed. */
  async function claimAndCrash(at: string): Promise<void> {
    const state = await StateDirectory.open(at);
    const settings = generationSettings(1_800_000);
    const options = { bigquery: bigquery.bigquery, dataset, generation: 1, state, settings, fresh: false };
    const times = { durationMs: 600_000, renewMs: 3_600_000, retryMs: 3_600_000 };
    await claimDataset({ ...options, times, onTrouble: (error) => assert.fail(error) });
    state.close();
  }

  it("refuses a second run with another state directory, and names the holder of the lease", async () => {
    await claimAndCrash(stateDir);
    const other = `${stateDir}-other`;
    const { code, stderr } = await run(other);
    assert.equal(code, 1);
    assert(
      stderr.includes(
        `Generation 1 of dataset ${dataset} is in use by another run: ${hostname()}:${process.pid}, which has held`,
      ),
      stderr,
    );
    assert.match(stderr, /since \S+Z, until \S+Z unless it extends it.*has expired, in \d+ s, or with its --state-dir/);
    assert.deepEqual(await tables().labels(), undefined, "nothing was changed");
  });

  it("takes the lease over at once from a killed run on the same state directory", async () => {
    await claimAndCrash(stateDir);
    await claimAndCrash(stateDir);
  });

  it("a start with other definitions than those of the generation is refused, with the command that makes the numbers again", async () => {
    await recordGeneration(bigquery.bigquery, dataset, generationSettings(1_800_000));
    const { code, stderr } = await run(
      stateDir,
      "--session-gap",
      "10m",
      "--time-zone",
      "Europe/Berlin",
      "--count-bots",
    );
    assert.equal(code, 1);
    assert.match(
      stderr,
      /the session gap is 30m, not 10m \(--session-gap\); the time zone is UTC, not Europe\/Berlin \(--time-zone\); bots do not count \(--count-bots\)/,
    );
    assert.match(
      stderr,
      /\n {2}eventlogger rebuild --dataset \S+ .* --state-dir \S+ --session-gap 10m --time-zone Europe\/Berlin --count-bots\n/,
    );
    assert(!existsSync(stateDir), "nothing was changed");
    await claimAndCrash(`${stateDir}-other`);
  });

  it("a start with another name of the generation's time zone has the name that its state has", async () => {
    await recordGeneration(bigquery.bigquery, dataset, generationSettings(1_800_000, undefined, "Asia/Kolkata"));
    const { project } = bigquery;
    const options = {
      project,
      dataset,
      subscription: "events",
      generation: undefined,
      ...{ sessionGap: undefined, countBots: undefined },
    };
    const zoneOf = async (timeZone: string | undefined, fresh: boolean): Promise<string> =>
      (await chooseGeneration(bigquery.bigquery, { ...options, timeZone, fresh })).timeZone;
    assert.equal(await zoneOf("Asia/Calcutta", false), "Asia/Kolkata");
    assert.equal(await zoneOf(undefined, true), "Asia/Kolkata");
    assert.equal(await zoneOf("Europe/Berlin", true), "Europe/Berlin");
    await assert.rejects(zoneOf("Europe/Berlin", false), /the time zone is Asia\/Kolkata, not Europe\/Berlin/);
  });

  it("the first start records its settings as generation 1, and only --fresh replaces them", async () => {
    assert.equal(await readActiveGeneration(bigquery.bigquery, dataset), undefined);
    await claimAndCrash(stateDir);
    const recorded = await readActiveGeneration(bigquery.bigquery, dataset);
    const { shardHashSecret, ...definitions } = recorded?.settings ?? assert.fail();
    assert.deepEqual([recorded?.generation, definitions], [1, generationSettings(1_800_000)]);
    assert.match(shardHashSecret ?? "", /^[0-9a-f]{32}$/);
    assert.deepEqual(recorded?.job, { runner: "flink", stateDirectory: stateDir, host: hostname() });
    const state = await StateDirectory.open(stateDir);
    const settings = generationSettings(600_000);
    const options = { bigquery: bigquery.bigquery, dataset, generation: 1, state, settings, onTrouble: () => {} };
    await assert.rejects(claimDataset({ ...options, fresh: false }), /1800 s in the dataset, but 600 s in this run/);
    const lease = await claimDataset({ ...options, fresh: true });
    const changed = await readActiveGeneration(bigquery.bigquery, dataset);
    assert.deepEqual(changed?.settings, { ...settings, shardHashSecret: state.shardHashSecret });
    await lease.release((error) => assert.fail(error));
    state.close();
  });

  describe("shard hash", () => {
    const savedSecret = (at: string): unknown =>
      (JSON.parse(readFileSync(path.join(at, "settings.json"), "utf8")) as { shardHashSecret?: unknown })
        .shardHashSecret;
    const recordedSecret = async (): Promise<string | undefined> =>
      (await readActiveGeneration(bigquery.bigquery, dataset))?.settings.shardHashSecret;

    async function changeSettings(change: (recorded: GenerationSettings) => GenerationSettings): Promise<void> {
      const { settings: recorded } = (await readActiveGeneration(bigquery.bigquery, dataset)) ?? assert.fail();
      await replaceGenerationSettings(bigquery.bigquery, dataset, 1, change(recorded));
    }

    /** Begins a run like the command, and ends it. @returns its start, and the secret that its pipeline gets */
    async function runOnce(at: string, options = NEITHER): Promise<{ start: RunStart; secret: string | undefined }> {
      const state = await StateDirectory.open(at);
      try {
        let lease: RunLease | undefined;
        const onTrouble = (error?: Error): void => assert.fail(error);
        const claim = async (): Promise<void> => {
          const { fresh } = options;
          const request = { bigquery: bigquery.bigquery, dataset, generation: 1, state, fresh, onTrouble };
          lease = await claimDataset({ ...request, settings: generationSettings(1_800_000) });
        };
        const start = await beginBoundRun(state, tables(), settings(), { ...options, claim });
        await lease?.release(onTrouble);
        return { start, secret: state.shardHashSecret };
      } finally {
        state.close();
      }
    }

    it("a new dataset gets a random secret, which its state directory and the dataset keep, whichever of them is lost", async () => {
      const { secret } = await runOnce(stateDir);
      assert.match(secret ?? "", /^[0-9a-f]{32}$/);
      assert.deepEqual([savedSecret(stateDir), await recordedSecret()], [secret, secret]);
      assert.equal((await runOnce(stateDir)).secret, secret);
      const newDir = `${stateDir}-new`;
      const { secret: again, start } = await runOnce(newDir);
      assert.equal(again, secret, "without the state directory");
      await completeCheckpoint(start, 3);
      await addNumbers();
      await changeSettings((recorded) => ({ ...recorded, shardHashSecret: undefined }));
      assert.equal((await runOnce(newDir)).secret, secret, "without the secret in the dataset");
      assert.deepEqual([savedSecret(newDir), await recordedSecret()], [secret, secret]);
      const other = await bigquery.freshDataset();
      dataset = other;
      assert.notEqual((await runOnce(path.join(directory, other))).secret, secret, "another dataset");
    });

    it("state with the format of an earlier release is refused and not changed, and --fresh replaces it", async () => {
      await counted();
      const file = path.join(stateDir, "settings.json");
      const { project, subscription, sessionGapMs, stateId } = JSON.parse(
        readFileSync(file, "utf8"),
      ) as StateSettings & {
        stateId: string;
      };
      const shards = { userBuckets: 1024, sessionBucketsPerDay: 256 };
      const text = JSON.stringify({ project, subscription, dataset, sessionGapMs, ...shards, stateId });
      writeFileSync(file, text);
      const { code, stderr } = await run(stateDir);
      assert.equal(code, 1);
      assert.match(
        stderr,
        /The state in .* has format 1, but this release reads format 3\. Run the release that wrote it, /,
      );
      assert.match(
        stderr,
        /or start with empty state \(--fresh\), which requires empty tables\. Or make the numbers again /,
      );
      assert.match(stderr, /^ {2}eventlogger rebuild .* --take-over$/m);
      assert.equal(readFileSync(file, "utf8"), text);
      const { secret } = await runOnce(stateDir, { fresh: true, acceptWrongNumbers: true });
      assert.match(secret ?? "", /^[0-9a-f]{32}$/);
      assert.deepEqual([savedSecret(stateDir), await recordedSecret()], [secret, secret]);
    });

    it("the secret of existing state counts, not that of the dataset, which follows it", async () => {
      const { secret, start } = await runOnce(stateDir);
      await completeCheckpoint(start, 3);
      await addNumbers();
      await changeSettings((recorded) => ({ ...recorded, shardHashSecret: "00112233445566778899aabbccddeeff" }));
      assert.equal((await runOnce(stateDir)).secret, secret);
      assert.equal(await recordedSecret(), secret);
    });
  });

  it("numbers the versions of a new state directory above all versions in the tables", async () => {
    const table = bigquery.bigquery.dataset(dataset).table("daily_rollup_versions");
    await begin(stateDir);
    await table.insert([rollupVersion({ date: "2026-05-01", version: 5_000_000_000_000 })]);
    const other = `${stateDir}-other`;
    await begin(other, { fresh: true, acceptWrongNumbers: true });
    const state = await StateDirectory.open(other);
    assert.ok(versionFloor(state.nextWorkerStart()) > 5_000_000_000_000);
    state.close();
  });

  it("numbers whose table was recreated are refused for the state that counted them, with the command that makes them again", async () => {
    await counted();
    await begin(stateDir); // the labels have the checkpoint
    await recreate("daily_rollup_versions");
    const { code, stderr } = await run(stateDir);
    assert.equal(code, 1);
    assert.match(stderr, /but the table of its numbers was recreated and has none of them\./);
    assert.match(stderr, /\n {2}eventlogger rebuild .*--take-over\n/);
    await addNumbers(); // copied from a backup
    assert.equal((await begin(stateDir)).restoreFrom?.number, 7);
  });

  it("state whose labels or generation were removed is refused, and the command in the error restores them", async () => {
    await counted();
    const labels = await tables().labels();
    assert(labels);
    const restore = async (): Promise<string> => {
      const { code, stderr } = await run(stateDir);
      assert.equal(code, 1);
      assert.match(stderr, /has no label of a state: the tables were recreated, or its labels were removed/);
      const sql = /^ {2}bq query --project_id=demo-project --use_legacy_sql=false '(.*)'$/m.exec(stderr)?.[1];
      assert(sql, stderr);
      await runQuery(bigquery.bigquery, sql);
      assert.deepEqual(await tables().labels(), { ...labels, checkpoint: 7 });
      return sql;
    };
    const table = generationsReference(bigquery.bigquery, dataset);
    await runQuery(bigquery.bigquery, `UPDATE ${table} SET state = NULL WHERE generation = 1`);
    assert.match(await restore(), /^UPDATE /);
    await recreate("generations");
    assert.match(await restore(), /^INSERT /);
    assert.equal((await begin(stateDir)).restoreFrom?.number, 7);
    await recreate("generations");
    await recreate("daily_rollup_versions");
    assert.equal((await begin(stateDir, { fresh: true, acceptWrongNumbers: false })).restoreFrom, undefined);
  });
});

describe("the state labels of a generation on the BigQuery emulator", () => {
  it("survive inserts, new columns and a restart of the emulator, as on Google's service", async () => {
    const directory = mkdtempSync(path.join(tmpdir(), "labels-"));
    const project = "demo-project";
    const options = { dataDir: path.join(directory, "data"), logFile: path.join(directory, "log"), project };
    const labels = { state: "0b9c4c1e-4a44-4b8e-9a4e-2f6f6a8f0c11", run: 3, checkpoint: 1234 };
    let emulator = await startBigQueryEmulator(options);
    try {
      let bigquery = bigQueryClient({ project, endpoint: emulator.url });
      await setUpBigQuery(bigquery, { dataset: "analytics" });
      await recordGeneration(bigquery, "analytics", { sessionGapMs: 1_800_000 });
      const table = bigquery.dataset("analytics").table("daily_rollup_versions");
      assert.equal(await new LabelledGeneration(bigquery, "analytics", 1).labels(), undefined);
      await new LabelledGeneration(bigquery, "analytics", 1).label(labels);
      await table.insert([rollupVersion({ date: "2026-05-01" })]);
      await bigquery.query("ALTER TABLE `demo-project.analytics.daily_rollup_versions` ADD COLUMN extra STRING");
      await setUpBigQuery(bigquery, { dataset: "analytics" });
      await emulator.stop();
      emulator = await startBigQueryEmulator(options);
      bigquery = bigQueryClient({ project, endpoint: emulator.url });
      assert.deepEqual(await new LabelledGeneration(bigquery, "analytics", 1).labels(), labels);
      assert.equal(await new LabelledGeneration(bigquery, "analytics", 1).hasNumbers(), true);
    } finally {
      await emulator.stop();
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
