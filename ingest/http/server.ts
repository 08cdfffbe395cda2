import { createServer, STATUS_CODES, type RequestListener, type Server } from "node:http";
import { Server as NetServer, type AddressInfo, type Socket } from "node:net";

/** Longer than nginx keeps idle connections (nginx/nginx.conf.template), so that nginx is the side that closes. */
const KEEP_ALIVE_MS = 75_000;
/** Time limit for the headers of a request, ms. */
const HEADERS_TIMEOUT_MS = 10_000;
/** Time limit for a whole request, ms. The largest body then needs 1.4 Mbit/s. */
const REQUEST_TIMEOUT_MS = 30_000;
/** How often these limits are checked, ms; by default Node checks every 30 s. */
const CHECK_MS = 1000;
/** How long a refused client has to read the answer, ms. */
const LINGER_MS = 1000;
/** How long idle connections stay open while the server stops, ms: a request may already be on its way. */
const IDLE_GRACE_MS = 250;

export interface HttpServerOptions {
  readonly listener: RequestListener;
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  /** Maximum number of connections; further ones are closed at once. Each may hold a body in memory. */
  readonly maxConnections: number;
  /** Time limit for the headers of a request, ms. @default 10000 */
  readonly headersTimeoutMs?: number;
  /** Time limit for a whole request, ms. @default 30000 */
  readonly requestTimeoutMs?: number;
  /** Called with the status of the answer when a request is not valid HTTP or arrives too slowly. */
  readonly onUnreadable?: (status: number) => void;
}

export interface HttpServer {
  readonly port: number;
  /** Number of open connections. */
  connections(): Promise<number>;
  /** Stops accepting connections and resolves once all requests in flight are answered. */
  drain(): Promise<void>;
  /** Closes all connections at once. */
  abort(): void;
}

const JSON_TYPE = "application/json; charset=utf-8";

/** The body of an error, in the same shape as those of the routes. */
function errorBody(message: string): string {
  return JSON.stringify({ errors: [{ field: "", message }] });
}

/** Answers invalid HTTP in the same shape as other errors. @returns the status, or undefined without an answer */
function refuseUnreadable(error: NodeJS.ErrnoException, socket: Socket): number | undefined {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return undefined;
  }
  const status = error.code === "HPE_HEADER_OVERFLOW" ? 431 : error.code === "ERR_HTTP_REQUEST_TIMEOUT" ? 408 : 400;
  const reason = STATUS_CODES[status] ?? "";
  const body = errorBody(`The HTTP request is not valid: ${reason}`);
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\nContent-Type: ${JSON_TYPE}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
  // Node would wait for the client to close the connection.
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
  return status;
}

function drain(server: Server): Promise<void> {
  return new Promise((resolve) => {
    // Not http's close(): it closes idle connections at once, and loses requests that are just arriving.
    NetServer.prototype.close.call(server, () => resolve());
    setTimeout(() => server.closeIdleConnections(), IDLE_GRACE_MS);
    // For connections that were busy then and whose client ignores "Connection: close".
    const again = setInterval(() => server.closeIdleConnections(), IDLE_GRACE_MS);
    server.once("close", () => clearInterval(again));
  });
}

/** Starts listening. @throws Error when the address is in use. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { headersTimeoutMs = HEADERS_TIMEOUT_MS, requestTimeoutMs = REQUEST_TIMEOUT_MS } = options;
  const server = createServer(
    {
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      // No answer depends on the Host. A proxy may leave it out: nginx does for clients that speak HTTP/1.0.
      requireHostHeader: false,
      connectionsCheckingInterval: Math.min(CHECK_MS, headersTimeoutMs),
    },
    options.listener,
  );
  // Node would answer with an empty body.
  server.on("checkExpectation", (_request, response) => {
    const body = errorBody("The only supported Expect header is 100-continue");
    response.writeHead(417, {
      "Content-Type": JSON_TYPE,
      "Content-Length": Buffer.byteLength(body),
      Connection: "close",
    });
    response.end(body);
    options.onUnreadable?.(417);
  });
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
