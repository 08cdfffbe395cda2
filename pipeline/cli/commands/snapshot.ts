import type { OptionSpecs } from "@eventlogger/options/options";
import { grouped, LiveLine } from "@eventlogger/options/terminal";
import { PRIVATE_UMASK } from "@eventlogger/process/privateFiles";
import { jsonOption, progressOutput, writeResult } from "../output";
import { copyProgress, stateDirOption } from "../stateDirOption";
import { defineCommand } from "./command";

const options = {
  ...stateDirOption,
  to: {
    type: "string",
    describe: "File for the snapshot, which must not exist, or a folder, in which it gets a name with its time",
    group: "Snapshot:",
  },
  ...jsonOption,
} as const satisfies OptionSpecs;

export const snapshotCommand = defineCommand({
  details:
    "The file contains the last recorded checkpoint and everything else that `eventlogger restore` needs on another machine, with " +
    "checksums. The run is not held up. The file contains personal data and the secret of the state: only its owner can " +
    "read it. `tar -xOf FILE manifest.json` shows what it contains. Exit code 0 when it is complete and on disk.",
  options,
  examples: [
    ["$0 snapshot --state-dir /var/lib/eventlogger --to /backup/", "writes a file with the time in its name"],
    ["$0 snapshot --to monday.tar", "chooses the name"],
  ],
  async run({ stateDir, to, json }) {
    const { createSnapshot } = await import("../../snapshot/createSnapshot.js");
    process.umask(PRIVATE_UMASK);
    const output = progressOutput(json);
    const line = new LiveLine(output);
    const startedAt = performance.now();
    const { file, bytes, manifest } = await createSnapshot({
      stateDir,
      to,
      onProgress: (progress) => line.draw(() => copyProgress("copied", progress, startedAt)),
    }).finally(() => line.clear());
    const { files, ...about } = manifest;
    writeResult(json, { file, bytes, ...about, files: Object.keys(files).length }, [
      `wrote ${file}: checkpoint ${manifest.checkpoint} of run ${manifest.run}, ${grouped(Object.keys(files).length)} files, ` +
        `${grouped(bytes)} bytes`,
    ]);
    return 0;
  },
});
