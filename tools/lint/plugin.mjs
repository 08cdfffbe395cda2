// The project's own ESLint rules. Plain JavaScript, so that lint needs no build of its own rules.
import { declaredDependencies } from "./declaredDependencies.mjs";
import { noImportCycles } from "./noImportCycles.mjs";
import { noOnlyTests } from "./noOnlyTests.mjs";
import { patchedSdkFirst } from "./patchedSdkFirst.mjs";
import { workspaceBorders } from "./workspaceBorders.mjs";

export const eventlogger = {
  rules: {
    "workspace-borders": workspaceBorders,
    "no-import-cycles": noImportCycles,
    "declared-dependencies": declaredDependencies,
    "patched-sdk-first": patchedSdkFirst,
    "no-only-tests": noOnlyTests,
  },
};
