import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { processUsage } from "@eventlogger/process/processUsage";

/** Linux reports times in units of 1/USER_HZ s, and USER_HZ is always 100. */
const MS_PER_TICK = 10;

/** CPU time of one group of processes since the start of the measurement, ms, and the sum of their peaks of memory, MiB. */
export interface GroupUsage {
  readonly cpuMs: number;
  readonly peakRssMiB: number;
}

/** CPU time of the machine, all cores together, ms. */
interface MachineTime {
  readonly busyMs: number;
  readonly totalMs: number;
}

function machineTime(): MachineTime | undefined {
  try {
    const [, ...fields] = (readFileSync("/proc/stat", "utf8").split("\n", 1)[0] ?? "").split(/\s+/);
    // Fields of proc(5). Stolen time counts as busy: another machine on the same host had it.
    const [user, nice, system, idle, iowait, irq, softirq, steal] = fields.map((field) => Number(field) * MS_PER_TICK);
    const busyMs = [user, nice, system, irq, softirq, steal].reduce<number>((sum, ms) => sum + (ms ?? 0), 0);
    return { busyMs, totalMs: busyMs + (idle ?? 0) + (iowait ?? 0) };
  } catch {
    return undefined;
  }
}

interface Tracked {
  baselineMs: number;
  cpuMs: number;
  peakRssMiB: number;
}

/**
 * Measures groups of processes while they run. A process that has exited counts with what was seen last, so call
 * {@link sample} a few times per second. Linux only: elsewhere everything is NaN.
 */
export class UsageMeter {
  private readonly tracked = new Map<string, Map<number, Tracked>>();
  private startedAt = 0;
  private machineAtStart: MachineTime | undefined;

  /** @param groups the ids of the running processes of each group */
  constructor(private readonly groups: Readonly<Record<string, () => readonly number[]>>) {}

  /** Starts the measurement: CPU time before does not count. Processes that start later count from their start. */
  start(): void {
    this.sample();
    for (const group of this.tracked.values()) for (const one of group.values()) one.baselineMs = one.cpuMs;
    this.startedAt = performance.now();
    this.machineAtStart = machineTime();
  }

  sample(): void {
    for (const [name, pids] of Object.entries(this.groups)) {
      const group = this.tracked.get(name) ?? new Map<number, Tracked>();
      this.tracked.set(name, group);
      for (const pid of pids()) {
        const usage = processUsage(pid);
        if (!usage) continue;
        const one = group.get(pid) ?? { baselineMs: 0, cpuMs: 0, peakRssMiB: 0 };
        group.set(pid, { ...one, cpuMs: usage.cpuMs, peakRssMiB: Math.max(one.peakRssMiB, usage.peakRssMiB) });
      }
    }
  }

  /** The usage of each group since the start. */
  usage(): Readonly<Record<string, GroupUsage>> {
    return Object.fromEntries(
      Object.keys(this.groups).map((name) => {
        const all = [...(this.tracked.get(name)?.values() ?? [])];
        if (all.length === 0) return [name, { cpuMs: NaN, peakRssMiB: NaN }];
        return [
          name,
          {
            cpuMs: all.reduce((sum, one) => sum + one.cpuMs - one.baselineMs, 0),
            peakRssMiB: all.reduce((sum, one) => sum + one.peakRssMiB, 0),
          },
        ];
      }),
    );
  }

  /** The share of the CPU of the machine since the start, 0 to 1: of all groups together, and of everything that ran. */
  shares(): { readonly own: number; readonly all: number } {
    const elapsedMs = performance.now() - this.startedAt;
    const ownMs = Object.values(this.usage()).reduce((sum, { cpuMs }) => sum + cpuMs, 0);
    const now = machineTime();
    const all =
      now && this.machineAtStart
        ? (now.busyMs - this.machineAtStart.busyMs) / (now.totalMs - this.machineAtStart.totalMs)
        : NaN;
    return { own: ownMs / elapsedMs / cpus().length, all };
  }
}
