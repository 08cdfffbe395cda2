import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ESLint } from "eslint";
import tseslint from "typescript-eslint";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { readWorkspaces } from "@eventlogger/tools/images/workspaces";

interface Case {
  /** What lint checks. */
  readonly what: string;
  readonly rule: string;
  readonly file: string;
  /** Breaks the rule. */
  readonly bad: readonly string[];
  /** Comes close to it and is allowed. */
  readonly good: readonly string[];
}

const BORDERS = "eventlogger/workspace-borders";
const CYCLES = "eventlogger/no-import-cycles";
const DECLARED = "eventlogger/declared-dependencies";
const STYLE = "@typescript-eslint/no-require-imports";

/** Every form in which a file can import another. */
const forms = (name: string): string[] => [
  `import "${name}";`,
  `import type { X } from "${name}";\nexport type Y = X;`,
  `export * from "${name}";`,
  `export { x } from "${name}";`,
  `import x = require("${name}");\nexport const y = x;`,
  `export const x = import("${name}");`,
  `export type X = import("${name}").X;`,
];

const CASES: readonly Case[] = [
  {
    what: "events imports no other workspace",
    rule: BORDERS,
    file: "packages/events/day.ts",
    bad: forms("@eventlogger/process/ports"),
    good: forms("./validation"),
  },
  {
    what: "beam imports no other workspace but process",
    rule: BORDERS,
    file: "packages/beam/job.ts",
    bad: forms("@eventlogger/events/day"),
    good: forms("@eventlogger/process/ports"),
  },
  {
    what: "an imported module has a source file, even where an old compiled one exists",
    rule: BORDERS,
    file: "packages/beam/job.ts",
    bad: forms("@eventlogger/process/noSuchModule"),
    good: ['import "@eventlogger/process/ports";'],
  },
  {
    what: "a test obeys the borders of its workspace",
    rule: BORDERS,
    file: "packages/beam/version.test.ts",
    bad: ['import "@eventlogger/traffic/generator/random";'],
    good: ['import "@eventlogger/process/ports";'],
  },
  {
    what: "gcp imports neither beam nor the pipeline",
    rule: BORDERS,
    file: "packages/gcp/setup.ts",
    bad: ['import "@eventlogger/beam";', 'import "@eventlogger/pipeline/encoding";'],
    good: ['import "@eventlogger/events/day";', 'import "@eventlogger/options/options";'],
  },
  {
    what: "process imports no other workspace",
    rule: BORDERS,
    file: "packages/process/ports.ts",
    bad: ['import "@eventlogger/options/options";'],
    good: ['import "./childProcess";'],
  },
  {
    what: "options imports no other workspace but process",
    rule: BORDERS,
    file: "packages/options/options.ts",
    bad: ['import "@eventlogger/events/day";'],
    good: ['import "@eventlogger/process/ports";'],
  },
  {
    what: "traffic imports neither gcp nor a program",
    rule: BORDERS,
    file: "packages/traffic/bruteForce.ts",
    bad: ['import "@eventlogger/gcp/bigquery/client";'],
    good: ['import "@eventlogger/events/day";'],
  },
  {
    what: "ingest imports neither beam, nor the pipeline, nor the local stack",
    rule: BORDERS,
    file: "ingest/main.ts",
    bad: [
      'import "@eventlogger/beam/sdk";',
      'import "@eventlogger/pipeline/encoding";',
      'import "@eventlogger/local/up";',
    ],
    good: ['import "@eventlogger/gcp/bigquery/client";', 'import "./http/app";'],
  },
  {
    what: "nginx does not import ingest",
    rule: BORDERS,
    file: "nginx/main.ts",
    bad: ['import "@eventlogger/ingest/options";'],
    good: ['import "@eventlogger/process/ports";'],
  },
  {
    what: "the pipeline imports no other program and nothing for developers",
    rule: BORDERS,
    file: "pipeline/cli/main.ts",
    bad: ["ingest/options", "nginx/options", "local/up", "test/main", "tools/images/main", "bench/report"].map(
      (path) => `import "@eventlogger/${path}";`,
    ),
    good: ['import "@eventlogger/beam";', 'import "@eventlogger/traffic/bruteForce";'],
  },
  {
    // By a relative path, also where the other workspace may be imported by name.
    what: "no file imports another workspace by a relative path",
    rule: BORDERS,
    file: "pipeline/cli/main.ts",
    bad: [...forms("../../ingest/options"), 'import "../../packages/events/day";'],
    good: ['import "../eventPipeline";'],
  },
  {
    // A workspace does not import itself by name.
    what: "no workspace imports itself by its package name",
    rule: BORDERS,
    file: "pipeline/cli/main.ts",
    bad: ['import "@eventlogger/pipeline/encoding";'],
    good: ['import "../encoding";'],
  },
  // sdk.ts imports patches/install.ts.
  {
    what: "no file imports itself through another, by any form of import",
    rule: CYCLES,
    file: "packages/beam/patches/install.ts",
    bad: forms("../sdk"),
    good: forms("./coders"),
  },
  {
    what: "no file imports itself",
    rule: CYCLES,
    file: "packages/beam/patches/install.ts",
    bad: forms("./install"),
    good: [],
  },
  {
    what: "no file imports itself through another workspace",
    rule: CYCLES,
    file: "packages/process/packageRoot.ts",
    bad: ['import "@eventlogger/local/up";'],
    good: ['import "@eventlogger/options/ipAddress";'],
  },
  {
    what: "a package imports only its declared dependencies, and devDependencies only in tests",
    rule: DECLARED,
    file: "packages/events/day.ts",
    bad: [...forms("koa"), 'import "@koa/router";', 'import fc from "fast-check";\nfc.sample(fc.nat());'],
    good: [...forms("ajv"), 'import "ajv/dist/2020";', 'import "node:fs";'],
  },
  {
    what: "a test imports only declared dependencies",
    rule: DECLARED,
    file: "packages/events/day.test.ts",
    bad: ['import "koa";'],
    good: ['import "fast-check";', 'import "ajv";'],
  },
  {
    what: "a file under testing/ may import devDependencies",
    rule: DECLARED,
    file: "packages/events/testing/day.ts",
    bad: ['import "koa";'],
    good: ['import "fast-check";'],
  },
  {
    what: "beam imports only its declared dependencies",
    rule: DECLARED,
    file: "packages/beam/job.ts",
    bad: ['import "koa";'],
    good: ['import "apache-beam";'],
  },
  {
    what: "the Beam SDK is imported after its patches",
    rule: "eventlogger/patched-sdk-first",
    file: "pipeline/eventPipeline.ts",
    bad: ['import "apache-beam";', 'import "apache-beam/worker/operators";\nimport "@eventlogger/beam/sdk";'],
    good: ['import "@eventlogger/beam/sdk";\nimport "apache-beam";', 'import type { Pipeline } from "apache-beam";'],
  },
  {
    what: "no test runs alone",
    rule: "eventlogger/no-only-tests",
    file: "packages/events/day.test.ts",
    bad: ["it.only('x', () => {});", "describe.only('x', () => {});", "it['only']('x', () => {});"],
    good: ["it('x', () => {});", "const only = { only: 1 };\nvoid only.only;"],
  },
  {
    what: "a library does not print to the console",
    rule: "no-console",
    file: "pipeline/totals/dayTotals.ts",
    bad: ['console.log("x");', 'console.error("x");'],
    good: ['process.stderr.write("x");'],
  },
  {
    what: "the command line prints to the console",
    rule: "no-console",
    file: "pipeline/cli/main.ts",
    bad: [],
    good: ['console.log("x");'],
  },
  {
    what: "the logger of the worker prints to the console",
    rule: "no-console",
    file: "packages/beam/worker/logging.ts",
    bad: [],
    good: ['console.error("x");'],
  },
  {
    what: "`import x = require()` is replaced by a default import",
    rule: STYLE,
    file: "packages/process/packageRoot.ts",
    bad: ['import path = require("node:path");\npath.join();', 'const path = require("node:path");\npath.join();'],
    good: ['import path from "node:path";\npath.join();', 'import { join } from "node:path";\njoin();'],
  },
  {
    what: "`import x = require()` is left to modules whose own object is needed",
    rule: STYLE,
    file: "packages/beam/patches/operators.ts",
    bad: ['import sdk = require("apache-beam");\nexport const x = sdk;'],
    good: ['import operators = require("apache-beam/worker/operators");\nexport const x = operators;'],
  },
  {
    what: "a module of Node is not imported as a namespace",
    rule: "no-restricted-syntax",
    file: "packages/process/packageRoot.ts",
    bad: ['import * as path from "node:path";\npath.join();'],
    good: ['import path from "node:path";\npath.join();'],
  },
  {
    what: "a module of Node is imported with its prefix",
    rule: "no-restricted-imports",
    file: "packages/process/packageRoot.ts",
    bad: ['import path from "path";\npath.join();', 'import { readFile } from "fs/promises";\nvoid readFile;'],
    good: ['import path from "node:path";\npath.join();'],
  },
  {
    what: "a module is imported once, or once more for types",
    rule: "no-duplicate-imports",
    file: "packages/process/packageRoot.ts",
    bad: ['import { join } from "node:path";\nimport { sep } from "node:path";\njoin(sep);'],
    good: [
      'import { readFile } from "node:fs";\nimport type { Stats } from "node:fs";\nexport type S = Stats;\nvoid readFile;',
    ],
  },
  {
    what: "types are imported as types",
    rule: "@typescript-eslint/consistent-type-imports",
    file: "packages/events/day.ts",
    bad: ['import { Event } from "./event";\nexport type E = Event;'],
    good: ['import type { Event } from "./event";\nexport type E = Event;'],
  },
];

describe("Lint", () => {
  // Without types, these rules take milliseconds. Rules that need types have a component test.
  const eslint = new ESLint({
    cwd: repositoryRoot,
    overrideConfig: [{ files: ["**/*.ts"], ...(tseslint.configs.disableTypeChecked as object) }],
  });

  async function brokenRules(file: string, text: string): Promise<string[]> {
    const [result] = await eslint.lintText(`${text}\n`, { filePath: join(repositoryRoot, file) });
    assert.ok(result, `${file} is ignored`);
    assert.equal(result.fatalErrorCount, 0, JSON.stringify(result.messages));
    return result.messages.map(({ ruleId }) => ruleId ?? "");
  }

  for (const { what, rule, file, bad, good } of CASES) {
    it(`checks that ${what} (${rule})`, async () => {
      for (const text of bad) assert.ok((await brokenRules(file, text)).includes(rule), `not reported: ${text}`);
      for (const text of good) assert.ok(!(await brokenRules(file, text)).includes(rule), `reported: ${text}`);
    });
  }
});

describe("The table of who may import whom", () => {
  const file = join(repositoryRoot, "tools", "lint", "borders.json");
  const borders = new Map(Object.entries(JSON.parse(readFileSync(file, "utf8")) as Record<string, readonly string[]>));

  it("has a row for each workspace and no other", () => {
    const workspaces = [...readWorkspaces(repositoryRoot).keys()].map((name) => name.replace("@eventlogger/", ""));
    assert.deepEqual([...borders.keys()].sort(), workspaces.sort());
  });

  it("has no cycle", () => {
    const visit = (name: string, way: readonly string[]): void => {
      assert.ok(!way.includes(name), [...way, name].join(" -> "));
      for (const next of borders.get(name) ?? []) visit(next, [...way, name]);
    };
    for (const name of borders.keys()) visit(name, []);
  });

  it("lets nothing but local, test, bench and tools import local, test, bench or tools", () => {
    const development = ["local", "test", "bench", "tools"];
    for (const [from, allowed] of borders) {
      if (development.includes(from)) continue;
      assert.deepEqual(
        allowed.filter((to) => development.includes(to)),
        [],
        from,
      );
    }
  });
});
