import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { findNginx } from "./findNginx";
import { nginxArguments, renderNginxConfig, type NginxConfigOptions } from "./render";

/** What nginx says that an operator must see; the message is enough, the stack says nothing. */
export class NginxError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "NginxError";
  }
}

const TAIL_LINES = 20;
const START_TIMEOUT_MS = 10_000;
/** For connections that are still open after SIGQUIT. */
const CUT_TIMEOUT_MS = 2000;
const LAST_LINES_MS = 500;

export interface NginxExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** An nginx in the foreground, as a child process. Its errors (`errorLog: "stderr"`) go to ours. */
export class Nginx {
  /** Resolves when nginx has ended, for whatever reason. */
  readonly exited: Promise<NginxExit>;
  private readonly lastLines: string[] = [];
  private running = true;

  private constructor(
    private readonly command: string,
    private readonly child: ChildProcess,
    private readonly directory: string,
  ) {
    const closed = new Promise((resolve) => child.once("close", resolve));
    this.exited = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        this.running = false;
        // Workers outlive a master that was killed, and hold the port.
        signalGroup(child, "SIGKILL");
        // The last lines may come after the end.
        void Promise.race([closed, sleep(LAST_LINES_MS)]).then(() => resolve({ code, signal }));
      });
    });
    if (child.stderr) createInterface(child.stderr).on("line", (line) => this.note(line));
    // Whatever ends this process, an nginx that nobody looks after would keep the port.
    process.once("exit", () => this.signal("SIGTERM"));
  }

  /**
   * Writes the configuration, has nginx check it, and starts nginx. Returns when it takes signals.
   * @throws NginxError when nginx is missing, refuses the configuration, or ends at once
   */
  static async start(options: NginxConfigOptions): Promise<Nginx> {
    const command = findNginx();
    if (!command) throw new NginxError("There is no nginx: apt-get install nginx");
    const { directory } = options;
    mkdirSync(directory, { recursive: true });
    rmSync(pidFile(directory), { force: true });
    const configFile = writeConfig(command, options);
    const child = spawn(command, nginxArguments(configFile, directory, "stderr"), {
      // A process group of its own: a terminal's Ctrl-C is for this process, which stops nginx in order.
      detached: true,
      // Standard output is nginx's access log when it is told so; it opens it by its name.
      stdio: ["ignore", "inherit", "pipe"],
    });
    const nginx = new Nginx(command, child, directory);
    await nginx.untilStarted();
    return nginx;
  }

  /**
   * Goes on with another configuration: new connections are for new workers, old ones finish what they have under way.
   * @throws NginxError when nginx refuses it; then nginx goes on as it was
   */
  reload(options: NginxConfigOptions): void {
    writeConfig(this.command, options);
    this.signal("SIGHUP");
  }

  /** Answers what is under way, and cuts what is still open after `drainMs`. @returns whether nothing was cut */
  async stop(drainMs: number): Promise<boolean> {
    this.signal("SIGQUIT");
    if (await this.endsWithin(drainMs)) return true;
    this.signal("SIGTERM");
    if (!(await this.endsWithin(CUT_TIMEOUT_MS))) this.signal("SIGKILL");
    await this.exited;
    return false;
  }

  /** The last lines that nginx wrote. */
  get tail(): string {
    return this.lastLines.join("\n");
  }

  private note(line: string): void {
    process.stderr.write(`${line}\n`);
    this.lastLines.push(line);
    if (this.lastLines.length > TAIL_LINES) this.lastLines.shift();
  }

  private signal(signal: NodeJS.Signals): void {
    if (this.running) this.child.kill(signal);
  }

  private async endsWithin(ms: number): Promise<boolean> {
    const timer = new AbortController();
    const late = sleep(ms, false, { signal: timer.signal }).catch(() => false);
    const ended = await Promise.race([this.exited.then(() => true), late]);
    timer.abort();
    return ended;
  }

  /** A SIGHUP before nginx has its handlers would end it: it writes its pid when it has them. */
  private async untilStarted(): Promise<void> {
    let failure: Error | undefined;
    this.child.once("error", (error) => (failure = error));
    const end = Date.now() + START_TIMEOUT_MS;
    while (readIfThere(pidFile(this.directory)) !== `${this.child.pid}\n`) {
      if (failure) throw new NginxError(`nginx cannot be started: ${failure.message}`);
      if (!this.running) throw new NginxError(`nginx ended at once:\n${this.tail}`);
      if (Date.now() > end) throw new NginxError(`nginx has not started within ${START_TIMEOUT_MS} ms:\n${this.tail}`);
      await sleep(20);
    }
  }
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // Nobody is left in it.
  }
}

const pidFile = (directory: string): string => join(directory, "nginx.pid");

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/** @returns the file, in which a configuration that nginx accepts has taken the place of the one before */
function writeConfig(command: string, options: NginxConfigOptions): string {
  const { directory } = options;
  const file = join(directory, "nginx.conf");
  const next = `${file}.next`;
  writeFileSync(next, renderNginxConfig(options));
  const check = spawnSync(command, ["-q", "-t", ...nginxArguments(next, directory, "stderr")], {
    encoding: "utf8",
    // The access log may be standard output, which must then be the same one.
    stdio: ["ignore", "inherit", "pipe"],
  });
  if (check.error) throw new NginxError(`nginx cannot be started: ${check.error.message}`);
  if (check.status !== 0) throw new NginxError(`nginx refuses its configuration:\n${check.stderr.trimEnd()}`);
  renameSync(next, file);
  return file;
}
