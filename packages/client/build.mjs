// Builds the files that the package ships from eventlogger.ts and what it imports:
//   node packages/client/build.mjs [--quiet]
// The same source gives the same bytes on every machine, because pages pin the script by its hash. It does nothing when the
// files are up to date, and prints the size of each unless --quiet is given. Run `tsc -b` first: it writes the types.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const root = dirname(fileURLToPath(import.meta.url));
const dist = join(root, "dist");
const STAMP = join(dist, ".bundles.json");
const SOURCE = "eventlogger.ts";
/** Written by the compiler, for `require`. */
const TYPES = join(dist, "eventlogger.d.ts");
/** The same for `import`: the compiler takes the module kind from the extension. */
const IMPORT_TYPES = "eventlogger.d.mts";
/** The types of the global that the script for a script tag defines. */
const GLOBAL_TYPES = "eventlogger.iife.d.ts";
const GLOBAL_TYPES_TEXT = `declare global {
  /** Defined by the script eventlogger.iife.js. */
  const eventlogger: typeof import("./eventlogger.js");
}
export {};
`;
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

const banner = `/*! ${manifest.name} ${manifest.version} | ${manifest.license} */`;
/** Properties that only the client itself reads. Shorter names save 2 % of the size. */
const INTERNAL = /^(claim|takeOver|restartSession|sessionId|upTo|pauseMs|nth|json|bytes|storedAs|state)$/;

const FILES = {
  "eventlogger.mjs": { format: "esm", minify: true, mangleProps: INTERNAL },
  "eventlogger.cjs": { format: "cjs" },
};

/** The script for a script tag. */
const SCRIPT = "eventlogger.iife.js";

/** The script that defines the global `eventlogger` with the exports of a module. esbuild's own wrapper is 200 bytes larger. */
function scriptOf(module) {
  const [, banner, code, exported] = /^(\/\*!.*\*\/\n)(.*)export\{(.*)\};\n$/s.exec(module);
  const members = exported.replace(/([\w$]+) as (\w+)/g, "$2:$1");
  return `${banner}var eventlogger=(()=>{"use strict";${code}return{${members}}})();\n`;
}

const sha256 = (data) => createHash("sha256").update(data).digest("hex");

function readFile(file) {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}

/** A hash of everything that decides the bytes of the files. */
function inputHash() {
  const sources = readdirSync(root).filter((name) => /^\w+\.ts$/.test(name));
  const inputs = [
    ...sources.sort().map((name) => join(root, name)),
    TYPES,
    fileURLToPath(import.meta.url),
    join(root, "package.json"),
  ];
  return sha256(inputs.map((file) => sha256(readFileSync(file))).join());
}

/** Whether the last build had the same inputs, and its files are unchanged. */
function isUpToDate(input) {
  const stamp = readFile(STAMP);
  if (!stamp) return false;
  const { input: before, files } = JSON.parse(stamp.toString());
  return (
    before === input && Object.keys(files).every((name) => sha256(readFile(join(dist, name)) ?? "") === files[name])
  );
}

async function build(input) {
  const { build: bundle, version } = await import("esbuild");
  const wanted = manifest.devDependencies.esbuild;
  if (version !== wanted)
    throw new Error(`esbuild ${version} is installed, but package.json names ${wanted}: run npm ci`);
  const files = {};
  const write = (name, text) => {
    writeFileSync(join(dist, name), text);
    files[name] = sha256(text);
  };
  for (const [name, options] of Object.entries(FILES)) {
    const { outputFiles } = await bundle({
      absWorkingDir: root,
      entryPoints: [SOURCE],
      bundle: true,
      charset: "utf8",
      // Not the compiler's settings, which other packages share.
      tsconfigRaw: "{}",
      target: "es2018",
      banner: { js: banner },
      legalComments: "none",
      write: false,
      ...options,
    });
    write(name, outputFiles[0].text);
  }
  write(SCRIPT, scriptOf(readFileSync(join(dist, "eventlogger.mjs"), "utf8")));
  write(IMPORT_TYPES, readFileSync(TYPES, "utf8"));
  write(GLOBAL_TYPES, GLOBAL_TYPES_TEXT);
  writeFileSync(STAMP, JSON.stringify({ input, files }));
}

function printSizes() {
  for (const name of [...Object.keys(FILES), SCRIPT]) {
    const bytes = readFileSync(join(dist, name));
    console.log(`${name.padEnd(20)} ${bytes.length} bytes, ${gzipSync(bytes, { level: 9 }).length} gzipped`);
  }
}

if (!existsSync(TYPES)) throw new Error(`${TYPES} does not exist: run tsc -b first`);
const input = inputHash();
if (!isUpToDate(input)) await build(input);
if (!process.argv.includes("--quiet")) printSizes();
