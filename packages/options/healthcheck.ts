/**
 * The health check of the ingest and nginx containers: requests `/healthz` from 127.0.0.1 on the port in the environment
 * variable PORT. Exit code 0 when the response status is 200, otherwise 1.
 */
import { get } from "node:http";
import { httpOptions } from "./httpOptions";
import { readOptions } from "./options";

const TIMEOUT_MS = 2500;

const { port } = readOptions({ port: httpOptions.port });
const request = get({ host: "127.0.0.1", port, path: "/healthz", timeout: TIMEOUT_MS }, (response) => {
  process.exit(response.statusCode === 200 ? 0 : 1);
});
request.on("timeout", () => request.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
request.on("error", (error) => {
  process.stderr.write(`healthcheck: ${error.message}\n`);
  process.exit(1);
});
