import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { waitUntil } from "@eventlogger/process/wait";
import { StateDirectory } from "./stateDirectory";

const PROGRAM = path.join(__dirname, "testing", "openStateDirectory.js");
/** The program is process 1 of a pid namespace of its own, as in a container. */
const NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];

interface Opener {
  readonly process: ChildProcess;
  /** What it says first: `pid N opened` or `refused: …`. */
  readonly answer: Promise<string>;
}

describe("the lock of a state directory", () => {
  let directory: string;
  const openers: Opener[] = [];
  beforeEach(() => void (directory = mkdtempSync(path.join(tmpdir(), "directory-lock-"))));
  afterEach(async () => {
    for (const opener of openers.splice(0)) await kill(opener);
    // Stops the processes that were left. A namespace ends a moment after its first process.
    const open = async (): Promise<boolean> => ((await StateDirectory.open(directory)).close(), true);
    await waitUntil("the end of all processes", open, { retryErrors: true });
    rmSync(directory, { recursive: true });
  });

  /** Opens the state directory in another process, which keeps it open. */
  function open(prefix: readonly string[] = []): Opener {
    const [command, ...args] = [...prefix, process.execPath, PROGRAM, directory];
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
    const line = once(createInterface({ input: child.stdout }), "line") as Promise<[string]>;
    const exit = once(child, "exit").then((): [string] => ["ended without an answer"]);
    const opener = { process: child, answer: Promise.race([line, exit]).then(([text]) => text) };
    openers.push(opener);
    return opener;
  }
  async function kill({ process: child }: Opener): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;
  }
  function requireNamespaces(context: Mocha.Context): void {
    if (spawnSync(NAMESPACE[0] as string, [...NAMESPACE.slice(1), "true"]).status === 0) return;
    console.log("      skipped: this user may not create pid namespaces with unshare");
    context.skip();
  }

  it("a second container with the same volume is refused, and takes the directory when the first one has ended", async function () {
    requireNamespaces(this);
    const first = open(NAMESPACE);
    assert.equal(await first.answer, "pid 1 opened");
    const second = open(NAMESPACE);
    assert.match(
      await second.answer,
      /^refused: StateDirectoryInUseError: .* is in use by another run \(process 1 on .* since /,
    );
    await kill(first);
    const next = async (): Promise<boolean> => (await open(NAMESPACE).answer) === "pid 1 opened";
    await waitUntil("the lock of the first container to be free", next);
  });

  it("of several processes that open a state directory at the same moment, exactly one gets it", async () => {
    const answers = await Promise.all([1, 2, 3, 4].map(() => open().answer));
    assert.equal(answers.filter((answer) => answer.endsWith(" opened")).length, 1, answers.join("\n"));
    assert.equal(
      answers.filter((answer) => answer.includes(" is in use by another run (")).length,
      3,
      answers.join("\n"),
    );
  });

  it("a killed process leaves the lock free, even while processes that it has started live on", async () => {
    const first = open();
    assert.match(await first.answer, /opened$/);
    await kill(first);
    assert.match(await open().answer, /opened$/);
  });
});
