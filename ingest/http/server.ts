import { createServer, STATUS_CODES, type RequestListener, type Server } from "node:http";
import { Server as NetServer, type AddressInfo, type Socket } from "node:net";

/** Longer than nginx keeps an idle connection (nginx/nginx.conf.template), so that it is always nginx that closes. */
const KEEP_ALIVE_MS = 75_000;
/** For the headers of a request to arrive, ms. */
const HEADERS_TIMEOUT_MS = 10_000;
/** For a whole request to arrive, ms: the largest body needs a line of 1.4 Mbit/s. */
const REQUEST_TIMEOUT_MS = 30_000;
/** How often connections are looked through for such; Node does it every 30 s. */
const CHECK_MS = 1000;
/** A client that was refused has this long to read why, ms. */
const LINGER_MS = 1000;
/** Idle connections are kept this long when the server stops: a request may be on its way on one of them. */
const IDLE_GRACE_MS = 250;

export interface HttpServerOptions {
  readonly listener: RequestListener;
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** Connections over this number are closed as they come: each may hold a body in memory. */
  readonly maxConnections: number;
  /** For the headers of a request, ms. @default 10000 */
  readonly headersTimeoutMs?: number;
  /** For a whole request, ms. @default 30000 */
  readonly requestTimeoutMs?: number;
  /** Told of what came and could not be read as HTTP, with the status that it was answered with. */
  readonly onUnreadable?: (status: number) => void;
}

export interface HttpServer {
  readonly port: number;
  /** Connections that are open now. */
  connections(): Promise<number>;
  /** Stops accepting connections and resolves when all requests under way have been answered. */
  drain(): Promise<void>;
  /** Cuts all connections. */
  abort(): void;
}

/** Answers what Node cannot read as HTTP in the error shape of all other answers. @returns the status of the answer, if one */
function refuseUnreadable(error: NodeJS.ErrnoException, socket: Socket): number | undefined {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return undefined;
  }
  const status = error.code === "HPE_HEADER_OVERFLOW" ? 431 : error.code === "ERR_HTTP_REQUEST_TIMEOUT" ? 408 : 400;
  const reason = STATUS_CODES[status] ?? "";
  const body = JSON.stringify({ errors: [{ field: "", message: `The HTTP request cannot be read: ${reason}` }] });
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\nContent-Type: application/json; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
  // Node leaves the connection to a client that does not close it.
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
  return status;
}

function drain(server: Server): Promise<void> {
  return new Promise((resolve) => {
    // Not http's close: that cuts idle connections at once, and with them the requests just arriving.
    NetServer.prototype.close.call(server, () => resolve());
    setTimeout(() => server.closeIdleConnections(), IDLE_GRACE_MS);
    // Those that were busy then, and whose client does not follow "Connection: close".
    const again = setInterval(() => server.closeIdleConnections(), IDLE_GRACE_MS);
    server.once("close", () => clearInterval(again));
  });
}

/** Listens. @throws Error when the address is taken. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { headersTimeoutMs = HEADERS_TIMEOUT_MS, requestTimeoutMs = REQUEST_TIMEOUT_MS } = options;
  const server = createServer(
    {
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      connectionsCheckingInterval: Math.min(CHECK_MS, headersTimeoutMs),
    },
    options.listener,
  );
  server.maxConnections = options.maxConnections;
  server.on("clientError", (error, socket) => {
    const status = refuseUnreadable(error, socket as Socket);
    if (status !== undefined) options.onUnreadable?.(status);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    connections: () =>
      new Promise((resolve, reject) => server.getConnections((error, n) => (error ? reject(error) : resolve(n)))),
    drain: () => drain(server),
    abort: () => server.closeAllConnections(),
  };
}
