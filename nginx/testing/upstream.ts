import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo, Socket } from "node:net";

/** An HTTP server in the place of a replica. */
export interface TestUpstream {
  /** `host:port`. */
  readonly address: string;
  readonly port: number;
  /** Method and path of each request. */
  readonly requests: string[];
  /** All connections so far. */
  readonly connections: ReadonlySet<Socket>;
  /** Closes idle connections and answers requests in flight. */
  drain(): Promise<void>;
  /** Closes all connections at once. */
  close(): Promise<void>;
}

/** @param answer called once the whole request has arrived */
export async function startUpstream(answer: RequestListener, host = "127.0.0.1", port = 0): Promise<TestUpstream> {
  const requests: string[] = [];
  const connections = new Set<Socket>();
  const server = createServer((req, res) => {
    requests.push(`${req.method} ${req.url}`);
    req.resume().on("end", () => void answer(req, res));
  });
  server.on("connection", (socket: Socket) => connections.add(socket));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;
  const close = (cut: () => void): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      cut();
    });
  return {
    address: `${host}:${address.port}`,
    port: address.port,
    requests,
    connections,
    drain: () => close(() => server.closeIdleConnections()),
    close: () => close(() => server.closeAllConnections()),
  };
}

export const noContent: RequestListener = (_, res) => res.writeHead(204).end();
export const hangUp = (req: IncomingMessage): unknown => req.socket.destroy();
