import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { waitUntil } from "@eventlogger/process/wait";
import { UsageMeter } from "./usageMeter";

/** Uses CPU time until it is killed. */
const BUSY = "for (;;);";

describe("UsageMeter", () => {
  const children: ChildProcess[] = [];
  afterEach(() => {
    for (const child of children.splice(0)) child.kill("SIGKILL");
  });
  const busy = (): number => {
    const child = spawn(process.execPath, ["-e", BUSY], { stdio: "ignore" });
    children.push(child);
    return child.pid as number;
  };

  it("the CPU time of a process counts from the start of the measurement, also of one that starts later and one that exits", async () => {
    const early = busy();
    const late: number[] = [];
    const meter = new UsageMeter({ early: () => [early], late: () => late });
    const cpuOf = (group: string): number => {
      meter.sample();
      return meter.usage()[group]?.cpuMs ?? NaN;
    };
    await waitUntil("CPU time before the start", () => cpuOf("early") >= 300);
    meter.start();
    assert.equal(meter.usage()["early"]?.cpuMs, 0);
    assert(Number.isNaN(meter.usage()["late"]?.cpuMs), "no process yet");
    late.push(busy());
    await waitUntil("CPU time of both", () => cpuOf("early") >= 100 && cpuOf("late") >= 100);
    assert((meter.usage()["late"]?.peakRssMiB ?? 0) > 10);
    const { own, all } = meter.shares();
    assert(own > 0 && all > 0 && all <= 1, `${own} of ${all}`);
    const before = cpuOf("late");
    children[1]?.kill("SIGKILL");
    await waitUntil("the exit", () => children[1]?.signalCode);
    assert(cpuOf("late") >= before);
  });
});
