import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { BlockList } from "node:net";

/** A TCP port on which a process accepts connections. */
export interface ListeningSocket {
  readonly pid: number;
  /** Name of the program. */
  readonly program: string;
  /** IPv4 or IPv6 address; `0.0.0.0` and `::` are every network interface. */
  readonly address: string;
  readonly port: number;
}

const LISTEN = "0A";

/** Whether {@link listeningSockets} works on this system. */
export const canListSockets = existsSync("/proc/self/net/tcp");

/** The result of `read`; undefined when the process has exited. */
function unlessExited<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH") return undefined;
    throw error;
  }
}

function parseStat(pid: number): { program: string; parent: number } | undefined {
  const stat = unlessExited(() => readFileSync(`/proc/${pid}/stat`, "utf8"));
  // "PID (NAME) STATE PARENT …"; the name may contain anything.
  const match = stat === undefined ? null : /^\d+ \((.*)\) \S (\d+) /s.exec(stat);
  return match ? { program: match[1] as string, parent: Number(match[2]) } : undefined;
}

/** The pids of a process and of all its descendants. */
function processTree(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    const parent = /^\d+$/.test(name) ? parseStat(Number(name))?.parent : undefined;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const tree = [root];
  for (const pid of tree) tree.push(...(children.get(pid) ?? []));
  return tree;
}

/** An address as in `/proc/net/tcp` and `tcp6`: 32-bit words in hexadecimal, each in the byte order of the machine. */
export function parseAddress(hex: string): string {
  const words = hex.match(/.{8}/g) ?? [];
  const bytes = words.flatMap((word) => [...Buffer.from(word, "hex").reverse()]);
  if (bytes.length === 4) return bytes.join(".");
  const mapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  if (mapped) return bytes.slice(12).join(".");
  const groups = Array.from({ length: 8 }, (_, i) => Buffer.from(bytes.slice(2 * i, 2 * i + 2)).readUInt16BE());
  return new URL(`http://[${groups.map((group) => group.toString(16)).join(":")}]`).hostname.slice(1, -1);
}

/** The inodes of the sockets of a process. */
function socketInodes(pid: number): Set<string> {
  const inodes = new Set<string>();
  for (const fd of unlessExited(() => readdirSync(`/proc/${pid}/fd`)) ?? []) {
    const target = unlessExited(() => readlinkSync(`/proc/${pid}/fd/${fd}`));
    const inode = /^socket:\[(\d+)\]$/.exec(target ?? "")?.[1];
    if (inode) inodes.add(inode);
  }
  return inodes;
}

function socketsOf(pid: number): ListeningSocket[] {
  const program = parseStat(pid)?.program;
  if (program === undefined) return [];
  const inodes = socketInodes(pid);
  const lines = ["tcp", "tcp6"].flatMap((table) => {
    const file = `/proc/${pid}/net/${table}`;
    // Systems without IPv6 have no tcp6.
    return (unlessExited(() => readFileSync(file, "utf8")) ?? "").split("\n").slice(1);
  });
  return lines.flatMap((line) => {
    const [, local = "", , state, , , , , , inode = ""] = line.trim().split(/\s+/);
    if (state !== LISTEN || !inodes.has(inode)) return [];
    const [address = "", port = ""] = local.split(":");
    return [{ pid, program, address: parseAddress(address), port: parseInt(port, 16) }];
  });
}

/**
 * The TCP ports on which a process and its descendants listen, from `/proc`.
 * @throws Error on systems without `/proc` (see {@link canListSockets}), or when a process belongs to another user
 */
export function listeningSockets(rootPid: number): ListeningSocket[] {
  return processTree(rootPid).flatMap(socketsOf);
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** The sockets that other machines can reach, as `PROGRAM (PID) ADDRESS:PORT`. */
export function outsideLoopback(sockets: readonly ListeningSocket[]): string[] {
  return sockets
    .filter(({ address }) => !loopback.check(address, address.includes(":") ? "ipv6" : "ipv4"))
    .map(({ program, pid, address, port }) => `${program} (${pid}) ${address}:${port}`);
}

/**
 * Asserts that a process and its descendants listen on the loopback interface only.
 * @param expectedPorts ports that must be found, so that the assertion cannot pass because nothing was found
 */
export function assertOnlyLoopback(rootPid: number, expectedPorts: readonly number[]): void {
  const sockets = listeningSockets(rootPid);
  const ports = sockets.map(({ port }) => port);
  assert.deepEqual(
    expectedPorts.filter((port) => !ports.includes(port)),
    [],
    `these ports are not among those found: ${ports.join(", ")}`,
  );
  assert.deepEqual(outsideLoopback(sockets), [], "other machines can reach these ports");
}

/** Skips a mocha test on systems where {@link listeningSockets} does not work; prints why. */
export function skipUnlessSocketsAreListed(test: Mocha.Context): void {
  if (canListSockets) return;
  process.stderr.write(`skipped, because this system has no /proc to read sockets from: ${test.test?.title}\n`);
  test.skip();
}
