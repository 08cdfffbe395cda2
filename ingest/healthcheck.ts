/**
 * Whether a replica on this machine is up, for containers: exit code 0 or 1. It is told where by the same environment
 * variable (PORT) as the replica.
 */
import { get } from "node:http";
import { readOptions } from "@eventlogger/options/options";
import { ingestOptions } from "./options";

const TIMEOUT_MS = 2500;

const { port } = readOptions({ port: ingestOptions.port });
const request = get({ host: "127.0.0.1", port, path: "/healthz", timeout: TIMEOUT_MS }, (response) => {
  process.exit(response.statusCode === 200 ? 0 : 1);
});
request.on("timeout", () => request.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
request.on("error", (error) => {
  process.stderr.write(`healthcheck: ${error.message}\n`);
  process.exit(1);
});
