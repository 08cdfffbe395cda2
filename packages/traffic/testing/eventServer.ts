import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

export interface EventServer {
  readonly url: URL;
  /** The requests in the order of arrival. */
  readonly requests: {
    readonly path: string;
    readonly headers: IncomingHttpHeaders;
    readonly body: Record<string, unknown>;
  }[];
  readonly connections: number;
  /** Returns status and headers for the nth request; tests replace it. */
  answer: (nth: number) => { readonly status: number; readonly headers?: Record<string, string> };
  stop(): Promise<void>;
}

/** An HTTP server that records events and answers as the test defines. */
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
