import { readFileSync } from "node:fs";

export interface ProcessUsage {
  /** CPU time so far, user and system, ms. */
  readonly cpuMs: number;
  /** Resident now and at most so far, MiB. */
  readonly rssMiB: number;
  readonly peakRssMiB: number;
}

/** USER_HZ, which Linux fixes at 100 for what it shows to processes. */
const MS_PER_TICK = 10;

/** What a running process has used, from /proc; undefined where there is none (macOS). */
export function processUsage(pid: number): ProcessUsage | undefined {
  try {
    // The name, in brackets, may hold blanks; the fields after it are counted from the third on, see proc(5).
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
