import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

export interface BatchGatewayOptions {
  /** The replica that answers. */
  readonly replicaUrl: string;
  readonly port?: number;
  /** Gets an entry for each request with events, in the order of the answers. */
  readonly requests: BatchRequest[];
}

export interface BatchRequest {
  readonly contentType: string | undefined;
  readonly events: number;
  readonly status: number;
}

export interface BatchGateway {
  readonly url: string;
  readonly port: number;
  /** Stops immediately and closes all connections. */
  stop(): Promise<void>;
}

/** Headers of a connection or of the encoding of a body. */
const OF_CONNECTION = ["connection", "content-length", "content-encoding", "host", "keep-alive", "transfer-encoding"];

const throughHeaders = (headers: Iterable<[string, string | string[] | undefined]>): [string, string][] =>
  [...headers].flatMap(([name, value]) =>
    value === undefined || OF_CONNECTION.includes(name) ? [] : [[name, String(value)] as [string, string]],
  );

/** Starts a proxy in front of a replica that records requests and can be stopped. */
export async function startBatchGateway(options: BatchGatewayOptions): Promise<BatchGateway> {
  const { replicaUrl, requests } = options;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url = "", headers } = request;
    const body = await text(request);
    const replied = await fetch(replicaUrl + url, {
      method,
      headers: throughHeaders(Object.entries(headers)),
      body: method === "POST" ? body : undefined,
    });
    for (const [name, value] of throughHeaders(replied.headers)) response.setHeader(name, value);
    const reply = await replied.text();
    if (method === "POST") {
      const { events } = JSON.parse(body) as { events: unknown[] };
      requests.push({ contentType: headers["content-type"], events: events.length, status: replied.status });
    }
    response.writeHead(replied.status).end(reply);
  }

  function handle(request: IncomingMessage, response: ServerResponse): void {
    // To the client this looks like a service that dies.
    answer(request, response).catch(() => response.destroy());
  }

  const server = createServer(handle);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
