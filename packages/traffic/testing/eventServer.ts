import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

export interface EventServer {
  readonly url: URL;
  /** Bodies of the requests, in order, with the path they came to and their headers. */
  readonly requests: {
    readonly path: string;
    readonly headers: IncomingHttpHeaders;
    readonly body: Record<string, unknown>;
  }[];
  readonly connections: number;
  /** Status and headers for the nth request. */
  answer: (nth: number) => { readonly status: number; readonly headers?: Record<string, string> };
  stop(): Promise<void>;
}

/** Takes events over HTTP and answers as a test wants it. */
export async function startEventServer(): Promise<EventServer> {
  let connections = 0;
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const { url: path = "", headers: sent } = request;
      requests.push({ path, headers: sent, body: JSON.parse(body) as Record<string, unknown> });
      const { status, headers } = result.answer(requests.length);
      response.writeHead(status, headers).end(status >= 400 ? '{"errors":[{"field":"x","message":"is wrong"}]}' : "");
    });
  });
  server.on("connection", () => connections++);
  const requests: EventServer["requests"] = [];
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const result: EventServer = {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/event/`),
    requests,
    get connections() {
      return connections;
    },
    answer: () => ({ status: 204 }),
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return result;
}
