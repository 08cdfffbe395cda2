import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { packageRoot } from "../../config/packageRoot";
import { useBigQueryEmulator } from "../../pipeline/bigquery/testing/emulator";
import { assembleImage } from "./assemble";
import { ensureBootProgram } from "./bootProgram";
import { readOutcome, type BoundedPipeline } from "./testing/boundedPipeline";
import { startJobService, type JobService } from "./testing/jobService";

const IMAGE = "eventlogger/worker:stand-in";
const WORKER = join(packageRoot, "pipeline", "beam", "worker");

/** What the worker image holds, run by its entry point, without an engine. */
describe("Worker image, with a stand-in for docker", function () {
  this.timeout(300_000);
  const emulator = useBigQueryEmulator();
  let directory: string;
  let app: string;
  let jobService: JobService | undefined;

  /** Logs and exit codes of containers. */
  const containers = (): string => join(directory, "containers");

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "worker-image-"));
    app = join(directory, "app");
    assembleImage("worker", app);
    const boot = join(directory, "boot");
    cpSync(await ensureBootProgram(), boot);
    // The PATH of the container: its npx, its Node, and the commands of the base image.
    const bin = join(directory, "bin");
    mkdirSync(bin);
    cpSync(join(WORKER, "npx"), join(bin, "npx"));
    symlinkSync(process.execPath, join(bin, "node"));
    mkdirSync(containers());
    chmodSync(directory, 0o755); // containers do not run as root
    jobService = await startJobService({
      python: process.env["BEAM_PYTHON"] as string,
      directory,
      env: {
        PATH: [join(packageRoot, "local", "images", "testing"), process.env["PATH"]].join(delimiter),
        STANDIN_IMAGE: IMAGE,
        STANDIN_APP: app,
        STANDIN_BOOT: boot,
        STANDIN_PATH: [bin, "/usr/bin", "/bin"].join(delimiter),
        STANDIN_DIR: containers(),
      },
    });
  });
  after(async () => {
    await jobService?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const logs = (): string =>
    readdirSync(containers())
      .filter((file) => file.endsWith(".log"))
      .map((file) => readFileSync(join(containers(), file), "utf8"))
      .join("\n");

  it("runs the whole pipeline to the right numbers", async () => {
    const dataset = await emulator.freshDataset();
    const script = join(__dirname, "testing", "runBounded.js");
    const args = [`--job-endpoint=${jobService?.endpoint}`, `--image=${IMAGE}`, `--project=${emulator.project}`];
    args.push(`--dataset=${dataset}`, `--bigquery=${emulator.emulator.url}`, "--events=2000");
    let output: string;
    try {
      output = (await promisify(execFile)(process.execPath, [script, ...args], { timeout: 120_000 })).stdout;
    } catch (error) {
      throw new Error(`${String(error)}\njob service:\n${jobService?.logTail(40)}\nworkers:\n${logs()}`);
    }
    const { messages, expected } = JSON.parse(output) as Pick<BoundedPipeline, "messages" | "expected">;
    assert.equal(messages, 2002);
    assert.deepEqual(await readOutcome(emulator.bigquery, dataset), expected);
  });
});
