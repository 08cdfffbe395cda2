import { spawnSync } from "node:child_process";
import { closeSync, constants, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";

/** The process that holds a lock. */
export interface LockHolder {
  readonly host: string;
  readonly pid: number;
  /** ISO 8601. */
  readonly since: string;
}

/** Exit code of `flock` when another process holds the lock; of util-linux and BusyBox. */
const HELD = 1;
/** The number of the file in the child process. */
const CHILD_FD = 3;

/**
 * An exclusive lock of the operating system on a file.
 *
 * A process id says nothing in another container, so the kernel decides: it knows the lock across pid namespaces, and on
 * network file systems that support `flock` also across hosts, and it releases the lock when the process ends in any way.
 * Node cannot lock files. The command `flock` locks a file that it inherits; the lock then belongs to the open file, which
 * this process keeps open. No process that it starts later inherits the file.
 */
export class DirectoryLock {
  private constructor(private fd: number | undefined) {}

  /**
   * Takes the lock, without waiting.
   * @returns the lock; "held" when another process has it; "unsupported" when the machine has no command `flock`
   * @throws Error when the file system has no locks
   */
  static take(file: string, holder: LockHolder): DirectoryLock | "held" | "unsupported" {
    // Write access, because NFS requires it for exclusive locks. Not truncated: the text of a holder must stay.
    const fd = openSync(file, constants.O_RDWR | constants.O_CREAT, 0o600);
    const stdio = ["ignore", "ignore", "pipe", fd] as const;
    const { status, stderr, error } = spawnSync("flock", ["-n", String(CHILD_FD)], {
      stdio: [...stdio],
      encoding: "utf8",
    });
    if (status !== 0) closeSync(fd);
    if (error && "code" in error && error.code === "ENOENT") return "unsupported";
    if (status === HELD) return "held";
    if (status !== 0) throw new Error(`Cannot lock ${file}: ${error?.message ?? stderr.trim()}`);
    ftruncateSync(fd);
    writeSync(fd, JSON.stringify(holder) + "\n", 0);
    return new DirectoryLock(fd);
  }

  /** The process that holds the lock; undefined in the moment before it has written its name. */
  static holder(file: string): LockHolder | undefined {
    try {
      return JSON.parse(readFileSync(file, "utf8")) as LockHolder;
    } catch {
      return undefined;
    }
  }

  /** Releases the lock. The file stays: removing it would let two processes lock two files of one name. */
  release(): void {
    if (this.fd === undefined) return;
    ftruncateSync(this.fd);
    closeSync(this.fd);
    this.fd = undefined;
  }
}
