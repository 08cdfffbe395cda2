import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { colours, LiveLine } from "@eventlogger/options/terminal";
import { PRIVATE_UMASK } from "@eventlogger/process/privateFiles";
import { onStopSignals } from "@eventlogger/process/stopSignals";
import { INTERRUPTED } from "../exitCodes";
import { runOptions } from "../run/runOptions";
import { requireServices, serviceProblems } from "../services";
import { defineCommand } from "./command";

export const runCommand = defineCommand({
  details:
    "Reads the subscription and writes raw events, dead letters and versions of the daily rollups to BigQuery. A restart " +
    "loses nothing: the run resumes from the last checkpoint in --state-dir, and unacknowledged messages are redelivered. " +
    "Start only one run for each subscription. A second run on the state directory, or for the generation, is refused.",
  options: runOptions,
  examples: [
    ["$0 run --project my-project --state-dir /var/lib/eventlogger", "runs Flink in one process"],
    [
      "$0 run --session-windows beam --early-firing 2s",
      "uses Beam's session windows, and counts open sessions every 2 s",
    ],
    ["$0 run --generation 2", "computes generation 2 only, also while readers see another one"],
    ["$0 run --parallelism 4", "runs four workers on this machine"],
    [
      "$0 run --flink-master jobmanager:8081 --parallelism 4 --state-dir /shared/eventlogger --beam-access-token-file token",
      "runs on a Flink cluster",
    ],
    ["PUBSUB_EMULATOR_HOST=127.0.0.1:8085 $0 run --bigquery-endpoint http://127.0.0.1:9050", "uses emulators"],
  ],
  check: ({ fresh, acceptWrongNumbers, restoreFrom, ...services }) => [
    ...serviceProblems(services),
    ...(fresh && restoreFrom !== undefined
      ? ["--restore-from (RESTORE_FROM) cannot be combined with --fresh (FRESH), which deletes the state"]
      : []),
    ...(acceptWrongNumbers && !fresh ? ["--accept-wrong-numbers (ACCEPT_WRONG_NUMBERS) requires --fresh (FRESH)"] : []),
  ],
  async run(o) {
    const { yellow, dim } = colours(process.stdout);
    // Imported here, because Beam takes a while to load and other commands do not need it.
    const { followGenerations } = await import("../run/followGenerations.js");
    await requireServices({ ...o, pubsub: true, bigquery: { endpoint: o.bigqueryEndpoint } });
    // State and logs contain personal data. Children inherit the mask, so that it also holds for files of Flink.
    process.umask(PRIVATE_UMASK);
    let endChildren = async (): Promise<void> => {};
    const stop = onStopSignals({ beforeExit: () => endChildren(), exitCode: INTERRUPTED });
    const line = new LiveLine(process.stdout);
    const print = (text: string): void => {
      line.clear();
      process.stdout.write(`${text}\n`);
    };
    try {
      await followGenerations({
        options: o,
        bigquery: bigQueryClient({ project: o.project, endpoint: o.bigqueryEndpoint }),
        stopped: stop.received,
        onState: (state) => (endChildren = () => state.endChildren(0)),
        say: (text) => print(dim(text)),
        warn: (text) => print(`${yellow("warning")} ${text}`),
        line,
      });
      return 0;
    } finally {
      stop.dispose();
    }
  },
});
