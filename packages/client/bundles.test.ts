import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createContext, runInContext } from "node:vm";
import { gzipSync } from "node:zlib";
import { Linter } from "eslint";
import { packageRootOf } from "@eventlogger/process/packageRoot";
import type * as ClientModule from "./eventlogger";

/** Typed as any text: the compiler must not read the files that it writes itself. */
const NAME: string = "@eventlogger/client";
const ROOT = packageRootOf(__filename);
const FILES = ["eventlogger.mjs", "eventlogger.cjs", "eventlogger.iife.js"] as const;
const TSC = require.resolve("typescript/bin/tsc");

const read = (name: string): string => readFileSync(join(ROOT, "dist", name), "utf8");

describe("the files of the client package", () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "client-"))));
  afterEach(() => rmSync(folder, { recursive: true }));

  function tsc(args: readonly string[]): void {
    const { status, stdout } = spawnSync(process.execPath, [TSC, ...args], { cwd: folder, encoding: "utf8" });
    assert.equal(status, 0, stdout);
  }

  for (const name of FILES) {
    it(`${name} has only syntax of ES2018 and imports nothing`, () => {
      const source = read(name);
      const sourceType = name.endsWith(".mjs") ? "module" : "script";
      const languageOptions = { ecmaVersion: 2018, sourceType } as const;
      const problems = new Linter().verify(source, { files: ["**/*"], languageOptions }, { filename: name });
      assert.deepEqual(problems, []);
      assert.doesNotMatch(source, /\bimport\b.*from|\bimport\(|\brequire\(/);
    });
  }

  it("package.json ships every file that its exports name, and no other script", () => {
    const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
      files: string[];
      exports: unknown;
    };
    const named = JSON.stringify(manifest.exports).match(/\.\/(dist\/)?eventlogger\.[a-z.]+(?=",?)/g) ?? [];
    const shipped = manifest.files.filter((file) => file.includes("eventlogger"));
    const wanted = new Set(named.map((file) => file.slice(2)).filter((file) => file !== "eventlogger.iife.js"));
    assert.deepEqual(new Set(shipped), wanted);
  });

  it("import and require give createClient, each from its own file", async () => {
    const required = createRequire(__filename)(NAME) as typeof ClientModule;
    const imported = (await import(NAME)) as typeof ClientModule;
    assert.equal(typeof required.createClient, "function");
    assert.equal(typeof imported.createClient, "function");
    assert.notEqual(imported.createClient, required.createClient);
  });

  it("the script for a script tag defines the global `eventlogger` and no other", () => {
    // Nothing is sent: the timer never fires.
    const context = createContext({ URL, TextEncoder, setTimeout: () => 0, clearTimeout: () => undefined });
    const before = new Set(Object.keys(context));
    runInContext(read("eventlogger.iife.js"), context);
    assert.deepEqual(
      Object.keys(context).filter((name) => !before.has(name)),
      ["eventlogger"],
    );
    const id: unknown = runInContext(
      'eventlogger.createClient({ url: "http://127.0.0.1:1" }).track("view", {})',
      context,
    );
    assert.match(String(id), /^[0-9a-f-]{36}$/);
  });

  it("the ES module and the script for a script tag are below 5 kB with gzip", () => {
    for (const name of ["eventlogger.mjs", "eventlogger.iife.js"]) {
      const { length } = gzipSync(read(name), { level: 9 });
      assert.ok(length < 5000, `${name}: ${length} bytes with gzip`);
    }
  });

  it("a build in another folder gives the same bytes", () => {
    const copy = join(folder, "elsewhere", "client");
    mkdirSync(join(copy, "dist"), { recursive: true });
    const sources = readdirSync(ROOT).filter((name) => /^\w+\.ts$/.test(name));
    for (const name of [...sources, "build.mjs", "package.json", "dist/eventlogger.d.ts"])
      cpSync(join(ROOT, name), join(copy, name));
    const esbuild = dirname(require.resolve("esbuild/package.json"));
    symlinkSync(dirname(esbuild), join(folder, "node_modules"));
    const { status, stderr } = spawnSync(process.execPath, [join(copy, "build.mjs")], {
      cwd: folder,
      encoding: "utf8",
    });
    assert.equal(status, 0, stderr);
    for (const name of FILES) assert.equal(readFileSync(join(copy, "dist", name), "utf8"), read(name), name);
  });

  it("the source compiles with the library of ES2018 alone, without the types of browsers or of Node", () => {
    tsc(["--noEmit", "--strict", "--target", "es2018", "--lib", "es2018", join(ROOT, "eventlogger.ts")]);
  });

  it("the types compile in ES modules and in CommonJS, for node16, nodenext and bundler resolution", () => {
    mkdirSync(join(folder, "node_modules", "@eventlogger"), { recursive: true });
    symlinkSync(ROOT, join(folder, "node_modules", "@eventlogger", "client"));
    const checks =
      "const options: ClientOptions = { url: 'https://events.example', onDrop: ({ reason }: Drop) => void reason };\n" +
      "const client: Client = createClient(options);\n" +
      "void client.flush().then(({ sent, dropped, pending }: FlushResult): number => sent + dropped + pending);\n" +
      "void client.close().then(({ sent }) => sent.toFixed());\n" +
      "client.identify(null);\nclient.reset();\nclient.consent(false);\n" +
      "const linked: string | null = client.alias('u-1', client.anonymousId() ?? undefined);\nvoid linked;\n" +
      "const storage: ClientStorage = { get: async () => null, set: async () => undefined, remove: () => undefined };\n" +
      "createClient({ url: '/', storage, requireConsent: true, debug: false, maxStoredBytes: 0 });\n" +
      "// @ts-expect-error an unknown option\n" +
      "createClient({ url: '/', flushIntervall: 1 });\n" +
      "const id: string | null = client.track('view', { page: '/' });\n" +
      "// @ts-expect-error a name is a string\n" +
      "client.track(1);\nvoid id;\n";
    const types = "type Client, type ClientOptions, type ClientStorage, type Drop, type FlushResult";
    const use = `import { createClient, ${types} } from "@eventlogger/client";\n${checks}`;
    writeFileSync(join(folder, "esm.mts"), use);
    writeFileSync(join(folder, "commonjs.cts"), use);
    // The script tag defines createClient in a global, whose types the option --types names.
    const useGlobal = `import { ${types} } from "@eventlogger/client";\nconst { createClient } = eventlogger;\n${checks}`;
    writeFileSync(join(folder, "global.mts"), useGlobal);
    const common = ["--noEmit", "--strict", "--target", "es2018", "--lib", "es2018", "esm.mts", "global.mts"];
    common.push("--types", "@eventlogger/client/eventlogger.iife.js");
    tsc([...common, "commonjs.cts", "--module", "node16"]);
    tsc([...common, "commonjs.cts", "--module", "nodenext"]);
    tsc([...common, "--module", "esnext", "--moduleResolution", "bundler"]);
  });
});
