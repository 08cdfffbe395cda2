import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { runInNewContext } from "node:vm";
import { repositoryRoot } from "@eventlogger/process/packageRoot";

const NODE_TYPES = join(repositoryRoot, "node_modules", "@types");
const TSC = require.resolve("typescript/bin/tsc");

function run(directory: string, command: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: directory, encoding: "utf8" });
  assert.equal(status, 0, `${basename(command)} ${args.join(" ")}\n${error?.message ?? ""}${stdout}${stderr}`);
  return stdout;
}

function npm(directory: string, ...args: readonly string[]): string {
  const cli = process.env.npm_execpath;
  return cli?.endsWith(".js") ? run(directory, process.execPath, [cli, ...args]) : run(directory, "npm", args);
}

/** Packs workspaces as they are built. @returns the tarballs */
function pack(directory: string, workspaces: readonly string[]): string[] {
  const flags = workspaces.flatMap((workspace) => ["-w", `packages/${workspace}`]);
  // Without scripts: some of them rebuild dist, from which other tests are running.
  const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", directory, ...flags];
  const packed = JSON.parse(npm(repositoryRoot, ...args)) as { filename: string }[];
  return packed.map(({ filename }) => join(directory, filename));
}

/** Creates a folder with one project for each module system, and installs packages for all of them. */
function installProjects(root: string, packages: readonly string[]): void {
  writeFileSync(join(root, "package.json"), '{ "private": true }\n');
  for (const [name, type] of [
    ["esm", "module"],
    ["cjs", "commonjs"],
    ["ts", "commonjs"],
  ] as const) {
    mkdirSync(join(root, name));
    writeFileSync(join(root, name, "package.json"), JSON.stringify({ private: true, type }));
  }
  npm(root, "install", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", ...packages);
}

/** Runs a script in one of the projects. @returns its standard output */
function runScript(root: string, project: "esm" | "cjs", source: string): string {
  writeFileSync(join(root, project, "main.js"), source);
  return run(join(root, project), process.execPath, ["main.js"]);
}

/** Compiles files in the TypeScript project. @returns the outputs of the compiled programs */
function compileAndRun(root: string, files: Readonly<Record<string, string>>, options: readonly string[]): string[] {
  const project = join(root, "ts");
  const names = Object.keys(files);
  for (const name of names) writeFileSync(join(project, name), files[name] ?? "");
  const strict = ["--strict", "--target", "es2022", "--typeRoots", NODE_TYPES, "--types", "node", "--esModuleInterop"];
  run(project, process.execPath, [TSC, ...names, ...strict, "--outDir", "out", ...options]);
  return names.map((name) => run(project, process.execPath, [join("out", name.replace(/ts$/, "js"))]));
}

/** Installs the tarballs of workspaces in fresh projects, around the tests of the `describe` that calls this. */
function useProjects(workspaces: readonly string[]): { readonly root: string } {
  let root: string;
  before(() => {
    root = mkdtempSync(join(tmpdir(), "tarballs-"));
    installProjects(root, pack(root, workspaces));
  });
  after(() => rmSync(root, { recursive: true }));
  return {
    get root() {
      return root;
    },
  };
}

describe("the packed client in projects of its own", () => {
  const projects = useProjects(["client"]);
  const USE = 'const client = createClient({ url: "http://127.0.0.1:1" });\nconsole.log(typeof client.track);\n';

  it("the packed client can be imported in a project of ES modules", () => {
    const source = `import { createClient } from "@eventlogger/client";\n${USE}`;
    assert.equal(runScript(projects.root, "esm", source), "function\n");
  });

  it("the packed client can be required in a CommonJS project", () => {
    const source = `const { createClient } = require("@eventlogger/client");\n${USE}`;
    assert.equal(runScript(projects.root, "cjs", source), "function\n");
  });

  it("the packed client compiles with its types in ES modules and in CommonJS", () => {
    const source =
      `import { createClient, type Drop } from "@eventlogger/client";\n` +
      "const reasons: Drop['reason'][] = [];\n" +
      "const client = createClient({ url: 'http://127.0.0.1:1', onDrop: ({ reason }) => reasons.push(reason) });\n" +
      "const id: string | null = client.track('view', { session_id: 's-1' });\n" +
      "console.log(typeof id);\n// The client would retry for ever.\nprocess.exit(0);\n";
    const files = { "main.mts": source, "main.cts": source };
    assert.deepEqual(compileAndRun(projects.root, files, ["--module", "nodenext"]), ["string\n", "string\n"]);
  });

  it("the packed script for a script tag defines the global eventlogger", () => {
    const script = join(projects.root, "node_modules", "@eventlogger", "client", "dist", "eventlogger.iife.js");
    const context: { eventlogger?: { createClient?: unknown } } = {};
    runInNewContext(readFileSync(script, "utf8"), context);
    assert.equal(typeof context.eventlogger?.createClient, "function");
  });
});

describe("the packed Beam runtime in projects of its own", () => {
  const projects = useProjects(["process", "beam"]);
  /** Runs a pipeline on the direct runner of the SDK, in this process. */
  const PIPELINE = `
    const result = await directRunner().run(async (root) => {
      const lengths = root.apply(create(["a", "bb", "ccc"])).map((text) => text.length);
      await lengths.applyAsync(assertDeepEqual([1, 2, 3]));
    });
    console.log(result.state ?? "done");
  `;
  const IMPORTS = [
    'create } from "apache-beam"',
    'directRunner } from "apache-beam/runners/direct_runner"',
    'assertDeepEqual } from "apache-beam/testing/assert"',
  ];

  it("the packed Beam runtime runs a pipeline in a project of ES modules", () => {
    const imports = ['stringCoder } from "@eventlogger/beam"', ...IMPORTS].map((text) => `import { ${text};`);
    const out = runScript(projects.root, "esm", `${imports.join("\n")}\nvoid stringCoder;\n${PIPELINE}`);
    assert.match(out, /done|DONE/);
  });

  it("the packed Beam runtime runs a pipeline in a CommonJS project", () => {
    const requires = ['stringCoder } from "@eventlogger/beam"', ...IMPORTS].map(
      (text) => `const { ${text.replace(/ from (.*)$/, " = require($1);")}`,
    );
    const source = `${requires.join("\n")}\nvoid stringCoder;\n(async () => {${PIPELINE}})();`;
    assert.match(runScript(projects.root, "cjs", source), /done|DONE/);
  });

  it("the packed Beam runtime compiles with its types in TypeScript", () => {
    const source = `
      import { valueState, stringCoder } from "@eventlogger/beam";
      const cell = valueState(stringCoder);
      console.log(typeof cell);
    `;
    const options = ["--module", "node16", "--skipLibCheck"];
    assert.deepEqual(compileAndRun(projects.root, { "main.cts": source }, options), ["object\n"]);
  });
});
