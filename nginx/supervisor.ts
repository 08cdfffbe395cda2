import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { findNginx } from "./findNginx";
import { nginxArguments, renderNginxConfig, type NginxConfigOptions } from "./render";

/** An error of nginx for the operator. Its message is enough; it needs no stack. */
export class NginxError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "NginxError";
  }
}

const TAIL_LINES = 20;
const START_TIMEOUT_MS = 10_000;
/** Time limit for SIGTERM, for connections that are still open after SIGQUIT, ms. */
const CUT_TIMEOUT_MS = 2000;
const LAST_LINES_MS = 500;

export interface NginxExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** An nginx in the foreground, as a child process. Its standard error is forwarded. */
export class Nginx {
  /** Resolves when nginx has exited for any reason. */
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
        // Workers outlive a killed master and keep the port.
        signalGroup(child, "SIGKILL");
        // The last lines may arrive after the exit.
        void Promise.race([closed, sleep(LAST_LINES_MS)]).then(() => resolve({ code, signal }));
      });
    });
    if (child.stderr) createInterface(child.stderr).on("line", (line) => this.note(line));
    // Without this process nothing would stop nginx, and it would keep the port.
    process.once("exit", () => this.signal("SIGTERM"));
  }

  /**
   * Writes the configuration, lets nginx check it, and starts nginx. Returns once nginx handles signals.
   * @throws NginxError when nginx is missing, refuses the configuration, or exits immediately
   */
  static async start(options: NginxConfigOptions): Promise<Nginx> {
    const command = findNginx();
    if (!command) throw new NginxError("nginx is not installed: apt-get install nginx");
    const { directory } = options;
    mkdirSync(directory, { recursive: true });
    rmSync(pidFile(directory), { force: true });
    const configFile = writeConfig(command, options);
    const child = spawn(command, nginxArguments(configFile, directory, "stderr"), {
      // Its own process group: Ctrl-C in a terminal must only reach this process, which stops nginx gracefully.
      detached: true,
      // Standard output may be the access log of nginx, which opens it by name.
      stdio: ["ignore", "inherit", "pipe"],
    });
    const nginx = new Nginx(command, child, directory);
    await nginx.untilStarted();
    return nginx;
  }

  /**
   * Applies another configuration: new workers get new connections, old workers finish their requests in flight.
   * @throws NginxError when nginx refuses it; nginx then keeps its configuration
   */
  reload(options: NginxConfigOptions): void {
    writeConfig(this.command, options);
    this.signal("SIGHUP");
  }

  /** Answers requests in flight, and closes connections still open after `drainMs`. @returns whether all were answered */
  async stop(drainMs: number): Promise<boolean> {
    this.signal("SIGQUIT");
    if (await this.exitsWithin(drainMs)) return true;
    this.signal("SIGTERM");
    if (!(await this.exitsWithin(CUT_TIMEOUT_MS))) this.signal("SIGKILL");
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

  private async exitsWithin(ms: number): Promise<boolean> {
    const timer = new AbortController();
    const late = sleep(ms, false, { signal: timer.signal }).catch(() => false);
    const ended = await Promise.race([this.exited.then(() => true), late]);
    timer.abort();
    return ended;
  }

  /** Waits for the pid file, which nginx writes after installing its handlers: an earlier SIGHUP would kill it. */
  private async untilStarted(): Promise<void> {
    let failure: Error | undefined;
    this.child.once("error", (error) => (failure = error));
    const end = Date.now() + START_TIMEOUT_MS;
    while (readIfExists(pidFile(this.directory)) !== `${this.child.pid}\n`) {
      if (failure) throw new NginxError(`nginx cannot be started: ${failure.message}`);
      if (!this.running) throw new NginxError(`nginx exited immediately:\n${this.tail}`);
      if (Date.now() > end) throw new NginxError(`nginx did not start within ${START_TIMEOUT_MS} ms:\n${this.tail}`);
      await sleep(20);
    }
  }
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // The group is empty.
  }
}

const pidFile = (directory: string): string => join(directory, "nginx.pid");

function readIfExists(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/** Replaces the configuration file after nginx has accepted the new one. @returns the file */
function writeConfig(command: string, options: NginxConfigOptions): string {
  const { directory } = options;
  const file = join(directory, "nginx.conf");
  const next = `${file}.next`;
  writeFileSync(next, renderNginxConfig(options));
  const check = spawnSync(command, ["-q", "-t", ...nginxArguments(next, directory, "stderr")], {
    encoding: "utf8",
    // The access log may be standard output, which must then be the same.
    stdio: ["ignore", "inherit", "pipe"],
  });
  if (check.error) throw new NginxError(`nginx cannot be started: ${check.error.message}`);
  if (check.status !== 0) throw new NginxError(`nginx refuses its configuration:\n${check.stderr.trimEnd()}`);
  renameSync(next, file);
  return file;
}
