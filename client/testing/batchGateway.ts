import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

export interface BatchGatewayOptions {
  /** A replica, which gets each event by its `POST /event/`. */
  readonly replicaUrl: string;
  /** Origins that pages may send from; "*" is any. */
  readonly origins: readonly string[];
  readonly writeKey?: string;
  readonly port?: number;
  /** Gets an entry for each request with events, in the order they are answered. */
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
  /** Ends at once, with all connections. */
  stop(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly retryAfter?: string | null;
  readonly body?: unknown;
}

/** `POST /events/` in front of replicas that take single events: with CORS, a key, and answers event by event. */
export async function startBatchGateway(options: BatchGatewayOptions): Promise<BatchGateway> {
  const { replicaUrl, origins, writeKey, requests } = options;

  async function forward(events: readonly unknown[]): Promise<Answer> {
    const answers = await Promise.all(
      events.map((event) =>
        fetch(`${replicaUrl}/event/`, {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify(event),
        }),
      ),
    );
    const rejected: unknown[] = [];
    for (const [index, answer] of answers.entries()) {
      if (answer.status === 204) continue;
      const { errors } = (await answer.json()) as { errors: unknown };
      if (answer.status !== 400)
        return { status: 503, retryAfter: answer.headers.get("retry-after"), body: { errors } };
      rejected.push({ index, errors });
    }
    return { status: 200, body: { accepted: events.length - rejected.length, rejected } };
  }

  async function answer(request: IncomingMessage): Promise<Answer> {
    const { pathname, searchParams } = new URL(request.url ?? "", "http://localhost");
    if (request.method === "OPTIONS") return { status: 204 };
    if (request.method !== "POST" || pathname !== "/events/") return { status: 404 };
    const body = await text(request);
    const key = request.headers["x-write-key"] ?? searchParams.get("key") ?? undefined;
    if (writeKey !== undefined && key !== writeKey) {
      return { status: 401, body: { errors: [{ field: "", message: "A write key is needed" }] } };
    }
    const { events } = JSON.parse(body) as { events: unknown[] };
    const result = await forward(events);
    requests.push({ contentType: request.headers["content-type"], events: events.length, status: result.status });
    return result;
  }

  function handle(request: IncomingMessage, response: ServerResponse): void {
    const { origin } = request.headers;
    if (origin !== undefined && (origins.includes("*") || origins.includes(origin))) {
      response.setHeader("Access-Control-Allow-Origin", origin);
      response.setHeader("Access-Control-Allow-Headers", "content-type, x-write-key");
      response.setHeader("Access-Control-Expose-Headers", "retry-after");
      response.setHeader("Access-Control-Max-Age", "600");
    }
    answer(request).then(
      ({ status, retryAfter, body }) => {
        if (retryAfter) response.setHeader("Retry-After", retryAfter);
        response.writeHead(status).end(body === undefined ? undefined : JSON.stringify(body));
      },
      // What the client sees of a service that dies.
      () => response.destroy(),
    );
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
