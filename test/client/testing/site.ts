import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { repositoryRoot } from "@eventlogger/process/packageRoot";

export interface Site {
  /** `http://127.0.0.1:PORT`. */
  readonly origin: string;
  stop(): Promise<void>;
}

const CLIENT = join(repositoryRoot, "packages", "client", "dist", "eventlogger.mjs");

/** A page that offers the client to scripts as `createClient`. */
const PAGE = `<!doctype html><title>shop</title><script type="module">
import { createClient } from "/eventlogger.mjs";
window.createClient = createClient;
window.ready = true;
</script>`;

/** A web site of its own origin. Pages under /sandboxed/ have an opaque origin, and so no storage. */
export async function startSite(): Promise<Site> {
  const server = createServer((request, response) => {
    // A sandboxed page loads its script from another origin than its own.
    response.setHeader("Access-Control-Allow-Origin", "*");
    if (request.url === "/eventlogger.mjs") {
      response.writeHead(200, { "Content-Type": "text/javascript" }).end(readFileSync(CLIENT));
      return;
    }
    if (request.url?.startsWith("/sandboxed/")) response.setHeader("Content-Security-Policy", "sandbox allow-scripts");
    response.writeHead(200, { "Content-Type": "text/html" }).end(PAGE);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
