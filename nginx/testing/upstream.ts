import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo, Socket } from "node:net";

/** An HTTP server that stands where a replica would. */
export interface TestUpstream {
  /** `host:port`. */
  readonly address: string;
  readonly port: number;
  /** Method and path of each. */
  readonly requests: string[];
  /** All there have been. */
  readonly connections: ReadonlySet<Socket>;
  /** Ends connections that are idle, and answers what is under way. */
  drain(): Promise<void>;
  /** Cuts all connections. */
  close(): Promise<void>;
}

/** @param answer called when the whole request has come */
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
