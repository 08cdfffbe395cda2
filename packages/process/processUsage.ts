import { readFileSync } from "node:fs";

/** CPU time and memory of a process. */
export interface ProcessUsage {
  /** User and system CPU time since the start, ms. */
  readonly cpuMs: number;
  /** Resident memory now, MiB. */
  readonly rssMiB: number;
  /** Largest resident memory since the start, MiB. */
  readonly peakRssMiB: number;
}

/** Linux reports times in units of 1/USER_HZ s, and USER_HZ is always 100. */
const MS_PER_TICK = 10;

/** Reads the usage of a running process from /proc; undefined when it has exited, and on systems without /proc (macOS). */
export function processUsage(pid: number): ProcessUsage | undefined {
  try {
    // The command name, in parentheses, may contain spaces. The first field after it is field 3 of proc(5).
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").pop()?.split(" ") ?? [];
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const mib = (name: string): number => Math.round(Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1024);
    return {
      cpuMs: (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK,
      rssMiB: mib("VmRSS"),
      peakRssMiB: mib("VmHWM"),
    };
  } catch {
    return undefined;
  }
}
