// Builds the pages that ingest serves at /dashboard/, from main.ts, styles.css, index.html and icon.svg:
//   node packages/dashboard/build.mjs [--quiet]
// The name of each asset has a hash of its content, so browsers may keep it for a year. It does nothing when the files are up to
// date, and prints the size of each unless --quiet is given. Run `tsc -b` first: it compiles @eventlogger/events.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";

const root = dirname(fileURLToPath(import.meta.url));
const site = join(root, "dist", "site");
const STAMP = join(root, "dist", ".site.json");
/** What the bundles do not list as their inputs. */
const OWN_INPUTS = ["build.mjs", "index.html", "icon.svg", "package.json"];
/** Lines above every script: the notice that the licence of uPlot asks for. */
const BANNER = "/*! @eventlogger/dashboard, Apache-2.0 | uPlot 1.6.32 (c) Leon Sorokin, MIT */";

const sha256 = (data) => createHash("sha256").update(data).digest("hex");
const hashOf = (file) => (existsSync(file) ? sha256(readFileSync(file)) : "");

/** Whether the last build had the same inputs, and its files are unchanged. */
function isUpToDate() {
  if (!existsSync(STAMP)) return false;
  const { inputs, files } = JSON.parse(readFileSync(STAMP, "utf8"));
  const isSame = (folder, hashes) =>
    Object.entries(hashes).every(([name, hash]) => hashOf(join(folder, name)) === hash);
  return isSame(root, inputs) && isSame(site, files);
}

async function bundle(entry) {
  const { build } = await import("esbuild");
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    minify: true,
    charset: "utf8",
    format: "esm",
    target: ["es2021", "chrome100", "firefox100", "safari15.4"],
    // Not the compiler's settings, which are for Node.
    tsconfigRaw: "{}",
    mainFields: ["browser", "module", "main"],
    legalComments: "none",
    banner: { js: BANNER },
    outdir: "out",
    write: false,
    metafile: true,
  });
  return { text: outputFiles[0].text, inputs: Object.keys(metafile.inputs) };
}

async function build() {
  const [script, styles] = await Promise.all([bundle("main.ts"), bundle("styles.css")]);
  const icon = readFileSync(join(root, "icon.svg"), "utf8");
  const assets = { "dashboard.js": script.text, "dashboard.css": styles.text, "icon.svg": icon };
  let page = readFileSync(join(root, "index.html"), "utf8");
  const texts = {};
  for (const [name, text] of Object.entries(assets)) {
    const hashed = name.replace(".", `-${sha256(text).slice(0, 12)}.`);
    if (!page.includes(`assets/${name}`)) throw new Error(`index.html does not load assets/${name}`);
    page = page.replaceAll(`assets/${name}`, `assets/${hashed}`);
    texts[`assets/${hashed}`] = text;
  }
  texts["index.html"] = page;
  rmSync(site, { recursive: true, force: true });
  mkdirSync(join(site, "assets"), { recursive: true });
  const written = Object.entries(texts).flatMap(([name, text]) => [
    [name, text],
    // Compressed here, so that no replica has to.
    [`${name}.gz`, gzipSync(text, { level: 9 })],
    [`${name}.br`, brotliCompressSync(text)],
  ]);
  for (const [name, data] of written) writeFileSync(join(site, name), data);
  const inputs = [...new Set([...OWN_INPUTS, ...script.inputs, ...styles.inputs])];
  const hashes = (folder, names) => Object.fromEntries(names.map((name) => [name, hashOf(join(folder, name))]));
  writeFileSync(
    STAMP,
    JSON.stringify(
      {
        inputs: hashes(root, inputs),
        files: hashes(
          site,
          written.map(([name]) => name),
        ),
      },
      null,
      2,
    ),
  );
}

function printSizes() {
  let total = 0;
  const names = Object.keys(JSON.parse(readFileSync(STAMP, "utf8")).files);
  for (const name of names.filter((file) => !/\.(br|gz)$/.test(file))) {
    const bytes = readFileSync(join(site, name));
    const gzipped = readFileSync(join(site, `${name}.gz`)).length;
    total += gzipped;
    console.log(`${name.padEnd(36)} ${bytes.length} bytes, ${gzipped} gzipped`);
  }
  console.log(`${"total".padEnd(36)} ${total} bytes gzipped`);
}

if (!isUpToDate()) await build();
if (!process.argv.includes("--quiet")) printSizes();
