import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { packageVersion } from "./build";

const MAIN = join(__dirname, "main.js");

/** Logs its arguments and answers as docker does. */
const DOCKER = `#!/bin/sh
echo "$@" >> "$DOCKER_LOG"
case "$1" in
  version) if [ -n "$NO_ENGINE" ]; then echo "Cannot connect to the Docker daemon." >&2; exit 1; fi; echo 27.0 ;;
  build) echo "Step 1/2 : FROM x"; if [ -n "$BUILD_FAILS" ]; then echo "no space left" >&2; exit 1; fi ;;
  image) echo 150000000 ;;
  push) echo "latest: digest: sha256:$(printf '%064d' 7) size: 1" ;;
esac
`;

describe("npm run images", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "images-"));
    writeFileSync(join(directory, "docker"), DOCKER, { mode: 0o755 });
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  function images(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<{ code: number; stdout: string; stderr: string; asked: string[] }> {
    const log = join(directory, "log");
    writeFileSync(log, "");
    const PATH = [directory, "/usr/bin", "/bin"].join(delimiter);
    return new Promise((resolve) => {
      const options = { env: { PATH, DOCKER_LOG: log, ...env } };
      const child = execFile(process.execPath, [MAIN, ...args], options, (_error, stdout, stderr) => {
        const asked = readFileSync(log, "utf8").trim().split("\n");
        resolve({ code: child.exitCode ?? -1, stdout, stderr, asked });
      });
    });
  }

  it("npm run images builds every image from its Dockerfile for linux/amd64", async () => {
    const { code, stdout, asked } = await images([]);
    assert.equal(code, 0);
    const rest = `--platform linux/amd64 --build-arg VERSION=${packageVersion} .`;
    assert.deepEqual(
      asked.filter((line) => line.startsWith("build")),
      [
        `build --file pipeline/Dockerfile --tag eventlogger-worker:${packageVersion} ${rest}`,
        `build --file pipeline/cli/Dockerfile --tag eventlogger-pipeline:${packageVersion} ${rest}`,
        `build --file ingest/Dockerfile --tag eventlogger-ingest:${packageVersion} ${rest}`,
        `build --file nginx/Dockerfile --tag eventlogger-nginx:${packageVersion} ${rest}`,
      ],
    );
    assert.match(stdout, /worker {2}Step 1\/2 : FROM x/);
    assert.match(stdout, new RegExp(`built eventlogger-ingest:${packageVersion} \\(150 MB, \\d+ s\\)`));
  });

  it("npm run images uses mirrors and pushes to the repository", async () => {
    const mirrors = [
      "--node-image=m/node:22",
      "--go-image=m/go:1.26",
      "--npm-registry=http://m/npm",
      "--go-proxy=http://m/go",
    ];
    const { stdout, asked } = await images([
      "--repository=europe-docker.pkg.dev/p/r",
      "--tag=v1",
      "--push",
      ...mirrors,
    ]);
    const build = asked.find((line) => line.includes("pipeline/Dockerfile")) ?? "";
    for (const argument of [
      "NODE_IMAGE=m/node:22",
      "GO_IMAGE=m/go:1.26",
      "NPM_REGISTRY=http://m/npm",
      "GOPROXY=http://m/go",
    ]) {
      assert(build.includes(`--build-arg ${argument}`), build);
    }
    const reference = "europe-docker.pkg.dev/p/r/eventlogger-worker:v1";
    assert(asked.includes(`push ${reference}`));
    assert.match(stdout, new RegExp(`pushed ${reference} sha256:0{63}7`));
  });

  it("npm run images reports every wrong option before it runs docker", async () => {
    const { code, stderr, asked } = await images(["--tag=a b", "--push", "--platform=arm"]);
    assert.equal(code, 2);
    assert.match(stderr, /3 problems/);
    assert.match(stderr, /--tag \(TAG\) must be/);
    assert.match(stderr, /--platform \(PLATFORM\) must look like linux\/amd64/);
    assert.match(stderr, /--push \(PUSH\) requires --repository/);
    assert.deepEqual(asked, [""]);
  });

  it("npm run images reports a missing docker command and a missing engine", async () => {
    rmSync(join(directory, "docker"));
    const none = await images([], { PATH: directory });
    assert.equal(none.code, 1);
    assert.match(none.stderr, /The docker command is missing\. Building images needs a Docker Engine: https:/);
    writeFileSync(join(directory, "docker"), DOCKER, { mode: 0o755 });
    const down = await images([], { NO_ENGINE: "1" });
    assert.equal(down.code, 1);
    assert.match(down.stderr, /docker finds no engine \(Cannot connect to the Docker daemon\)\. Building images needs/);
  });

  it("npm run images prints the end of the output of a failed build", async () => {
    const { code, stderr } = await images([], { BUILD_FAILS: "1" });
    assert.equal(code, 1);
    assert.match(stderr, /docker build failed \(exit code 1\):[^]*no space left/);
  });
});
