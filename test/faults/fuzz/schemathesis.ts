import { spawn } from "node:child_process";
import { join } from "node:path";
import { cacheDir, repositoryRoot } from "@eventlogger/process/packageRoot";
import { ensureVenv, interpreterOf } from "@eventlogger/process/python/venv";

/** The checks of every answer: no 5xx, and nothing that the description does not define. */
const CHECKS = [
  "not_a_server_error",
  "status_code_conformance",
  "content_type_conformance",
  "response_headers_conformance",
  "response_schema_conformance",
  "unsupported_method",
];

export interface FuzzReport {
  readonly ok: boolean;
  /** Number of requests. */
  readonly requests: number;
  /** The output of Schemathesis. */
  readonly output: string;
}

/**
 * Sends valid and invalid requests that are generated from the OpenAPI description of a service, and checks the answers.
 * Installs Schemathesis when it is missing.
 * @param seconds duration, s
 * @param seed of the first requests; later ones also depend on the answers
 */
export async function fuzz(documentUrl: string, directory: string, seconds: number, seed: number): Promise<FuzzReport> {
  const requirements = join(repositoryRoot, "test", "faults", "fuzz", "requirements.txt");
  const venv = await ensureVenv({ name: "schemathesis", cacheDir, requirements });
  const args = [
    "run",
    documentUrl,
    "--seed",
    String(seed),
    "--max-time",
    String(seconds),
    "--checks",
    CHECKS.join(","),
  ];
  const child = spawn(interpreterOf(venv), ["-m", "schemathesis.cli", ...args, "--continue-on-failure", "--no-color"], {
    cwd: directory,
    env: { ...process.env, SCHEMATHESIS_HOOKS: join(repositoryRoot, "test", "faults", "fuzz", "ndjson.py") },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  return { ok: code === 0, requests: Number(/(\d+) generated/.exec(output)?.[1] ?? 0), output };
}
