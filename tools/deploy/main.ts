/** `npm run deploy:files`: writes the files of `deploy/` that are made from the code. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { runMain } from "@eventlogger/process/main";
import { deployFiles } from "./deployFiles";

runMain(() => {
  for (const [file, text] of Object.entries(deployFiles())) {
    writeFileSync(join(repositoryRoot, file), text);
    process.stdout.write(`wrote ${file}\n`);
  }
  return Promise.resolve(0);
});
