import type { OptionSpecs } from "@eventlogger/options/options";
import { colours, LiveLine } from "@eventlogger/options/terminal";
import { PRIVATE_UMASK } from "@eventlogger/process/privateFiles";
import { copyProgress, stateDirOption } from "../stateDirOption";
import { defineCommand } from "./command";

const options = {
  ...stateDirOption,
  from: { type: "string", describe: "File of the snapshot", optional: true, group: "Snapshot:" },
  replayed: {
    type: "boolean",
    describe: "Record that the events after the snapshot were replayed, so that runs no longer warn. Instead of --from",
    default: false,
    group: "Snapshot:",
  },
} as const satisfies OptionSpecs;

export const restoreCommand = defineCommand({
  details:
    "The folder must have no state. Nothing is changed when the snapshot is damaged or incomplete, or when this release cannot " +
    "read it. The state is then older than the tables: the numbers lack the events that were acknowledged after the " +
    "snapshot, until `eventlogger replay` counts them again. The command names the day from which on, and `eventlogger run` " +
    "warns until that was done.",
  options,
  examples: [
    ["$0 restore --from /backup/monday.tar --state-dir /var/lib/eventlogger", "restores a snapshot"],
    ["$0 restore --state-dir /var/lib/eventlogger --replayed", "ends the warning after the replay"],
  ],
  check: ({ from, replayed }) =>
    (from === undefined) === !replayed
      ? [`Either --from (FROM) or --replayed (REPLAYED) is required${from === undefined ? "" : ", not both"}`]
      : [],
  async run({ stateDir, from, replayed }) {
    const { yellow } = colours(process.stdout);
    const { recordReplayed, restoreSnapshot } = await import("../../snapshot/restoreSnapshot.js");
    const { nextSteps } = await import("../../snapshot/restoredState.js");
    process.umask(PRIVATE_UMASK);
    if (replayed || from === undefined) {
      recordReplayed(stateDir);
      process.stdout.write("recorded: the events after the snapshot were replayed\n");
      return 0;
    }
    const line = new LiveLine(process.stdout);
    const startedAt = performance.now();
    const { manifest, restored } = await restoreSnapshot({
      from,
      stateDir,
      onProgress: (progress) => line.draw(() => copyProgress("restored", progress, startedAt)),
    }).finally(() => line.clear());
    process.stdout.write(
      `restored checkpoint ${manifest.checkpoint} of run ${manifest.run} to ${stateDir}\n` +
        `${yellow("warning")} ${nextSteps(stateDir, restored)}\n`,
    );
    return 0;
  },
});
