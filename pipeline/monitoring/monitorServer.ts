import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";

export interface MonitorServerOptions {
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  readonly metrics: Registry;
  /** Why the pipeline is not ready; undefined when it is. */
  readonly notReady: () => string | undefined;
}

/** Answers `/healthz`, `/readyz` and `/metrics`. */
export class MonitorServer {
  private constructor(
    private readonly server: Server,
    /** The port that it listens on. */
    readonly port: number,
  ) {}

  /** @throws Error of `listen`, for example when the port is in use */
  static async start({ host, port, metrics, notReady }: MonitorServerOptions): Promise<MonitorServer> {
    const answer = async (path: string): Promise<{ status: number; type: string; body: string }> => {
      const json = (status: number, value: object) => ({
        status,
        type: "application/json",
        body: `${JSON.stringify(value)}\n`,
      });
      if (path === "/healthz") return json(200, { status: "ok" });
      if (path === "/readyz") {
        const reason = notReady();
        return reason === undefined ? json(200, { status: "ready" }) : json(503, { status: "not ready", reason });
      }
      if (path === "/metrics") return { status: 200, type: metrics.contentType, body: await metrics.metrics() };
      return json(404, { error: "not found; there are /healthz, /readyz and /metrics" });
    };
    const server = createServer((request, response) => {
      request.resume();
      const [path = ""] = (request.url ?? "").split("?");
      const isRead = request.method === "GET" || request.method === "HEAD";
      void (isRead ? answer(path) : Promise.resolve({ status: 405, type: "application/json", body: "{}\n" })).then(
        ({ status, type, body }) => {
          response.writeHead(status, { "content-type": type, "cache-control": "no-store" });
          response.end(request.method === "HEAD" ? undefined : body);
        },
        () => response.destroy(),
      );
    });
    server.requestTimeout = 10_000;
    server.headersTimeout = 5000;
    server.maxConnections = 100;
    server.listen(port, host);
    await once(server, "listening");
    return new MonitorServer(server, (server.address() as AddressInfo).port);
  }

  async stop(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, "close");
  }
}
