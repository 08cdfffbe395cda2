import assert from "node:assert/strict";
import { parseThreads, stageOf, timeByStage } from "./flinkThreads";
import { stageTable } from "./stageTable";
import { timeOfWorker } from "./workerParts";

const OUTPUT = `4242:
2026-11-30 07:00:00
Full thread dump OpenJDK 64-Bit Server VM (17.0.15+6 mixed mode):

"main" #1 prio=5 os_prio=0 cpu=812.40ms elapsed=60.12s tid=0x00007f nid=0x10 waiting on condition  [0x00007f]
   java.lang.Thread.State: TIMED_WAITING (sleeping)

"[3]CountSessions/SessionLedger -> {a, b} (1/1)#0" #88 prio=5 os_prio=0 cpu=1500.00ms elapsed=50.00s tid=0x00 nid=0x20 runnable  [0x]
"G1 Conc#0" os_prio=0 cpu=10.50ms elapsed=60.1s tid=0x00 nid=0x30 runnable
"GC Thread#0" os_prio=0 cpu=20.00ms elapsed=60.1s tid=0x00 nid=0x31 runnable
`;

describe("stages of bench:pipeline", () => {
  it("the CPU time of Flink's threads between two readings is summed by stage", () => {
    const before = parseThreads(OUTPUT);
    const after = parseThreads(
      OUTPUT.replace("1500.00ms", "2500.00ms").replace("20.00ms", "120.00ms") +
        '"C2 CompilerThread0" #9 daemon prio=9 os_prio=0 cpu=70.00ms elapsed=1s tid=0x00 nid=0x40 runnable\n',
    );
    assert.deepEqual(timeByStage(before, after), [
      ["[3]CountSessions/SessionLedger -> {a, b}", 1000],
      ["garbage collection", 100],
      ["just-in-time compiler", 70],
      ["other threads", 0],
    ]);
  });

  it("threads that run no step belong to a service of the JVM", () => {
    assert.deepEqual(
      ["AsyncOperations-thread-1", "grpc-default-executor-3", "flink-akka.actor.default-dispatcher-7"].map(stageOf),
      ["checkpoints", "gRPC", "other threads"],
    );
  });

  it("the CPU time of a worker is attributed to the steps of the pipeline and the runtime", () => {
    const node = (id: number, url: string, ...children: number[]) => ({
      id,
      callFrame: { functionName: "f", url },
      children,
    });
    const times = timeOfWorker({
      nodes: [
        node(1, "", 2),
        node(2, "file:///app/packages/beam/dist/bundleParDo.js", 3),
        node(3, "file:///app/pipeline/dist/users/userDays.js", 4),
        node(4, "file:///app/packages/events/dist/day.js"),
      ],
      samples: [2, 3, 4],
      timeDeltas: [100, 20, 3],
    });
    assert.deepEqual(Object.fromEntries(times), { "Beam's worker": 100, CountUsers: 23 });
  });

  it("the table shows CPU time per million events and shares", () => {
    const times = [
      ["sessions", 3000],
      ["other", 1000],
    ] as const;
    assert.deepEqual(stageTable("Flink", times, 1_000_000).split("\n"), [
      "Flink     CPU s/M  share",
      "sessions      3.0   75 %",
      "other         1.0   25 %",
      "all           4.0  100 %",
    ]);
  });
});
