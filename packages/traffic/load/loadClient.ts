import { connect, type Socket } from "node:net";

/**
 * A minimal keep-alive HTTP/1.1 client for load tests: one request at a time per connection, responses without chunked
 * encoding. It uses a fraction of the CPU of a general client, so on a small machine the results measure the server.
 */

export interface LoadOptions {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly connections: number;
  /** How long requests are started; ms. The client then waits for the last responses. */
  readonly durationMs: number;
  /** The body of the n-th request, counted from 0 over all connections. */
  readonly body: (n: number) => string;
}

export interface LoadResult {
  readonly requests: number;
  /** Wall-clock time from the first request to the last response; ms. */
  readonly elapsedMs: number;
  /** Responses by status code; `error` counts broken connections. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Latency of the requests; ms. */
  readonly latency: { readonly p50: number; readonly p90: number; readonly p99: number; readonly max: number };
}

/** Latencies in steps of 20 µs up to 20 s, so that recording allocates nothing. */
const STEP_MS = 0.02;
const STEPS = 1_000_000;

class Histogram {
  private readonly counts = new Uint32Array(STEPS + 1);
  private total = 0;
  private largest = 0;

  record(ms: number): void {
    const step = Math.min(STEPS, Math.floor(ms / STEP_MS));
    this.counts[step] = (this.counts[step] ?? 0) + 1;
    this.total++;
    if (ms > this.largest) this.largest = ms;
  }

  get max(): number {
    return this.largest;
  }

  percentile(p: number): number {
    const rank = Math.ceil((this.total * p) / 100);
    let seen = 0;
    for (let step = 0; step <= STEPS; step++) {
      seen += this.counts[step] ?? 0;
      if (seen >= rank) return step * STEP_MS;
    }
    return this.largest;
  }
}

const CONTENT_LENGTH = /\r\ncontent-length: *(\d+)/i;

/** Length of the first complete response in `text`; 0 while it is incomplete. Does not support chunked responses. */
function responseLength(text: string): number {
  const head = text.indexOf("\r\n\r\n");
  if (head < 0) return 0;
  const length = CONTENT_LENGTH.exec(text.slice(0, head + 2));
  const end = head + 4 + (length ? Number(length[1]) : 0);
  return text.length >= end ? end : 0;
}

/** Sends requests as fast as they are answered and reports the responses. Never rejects: errors are counted. */
export async function postLoad(options: LoadOptions): Promise<LoadResult> {
  const { host, port, path, connections, durationMs, body } = options;
  const head = `POST ${path} HTTP/1.1\r\nHost: ${host}:${port}\r\nContent-Type: application/json\r\nContent-Length: `;
  const histogram = new Histogram();
  const statuses: Record<string, number> = {};
  const start = performance.now();
  const stopAt = start + durationMs;
  let sent = 0;
  let lastResponse = start;

  const drive = (socket: Socket): Promise<void> =>
    new Promise((resolve) => {
      let received = "";
      let sentAt = 0;
      const next = (): void => {
        const payload = body(sent++);
        sentAt = performance.now();
        if (sentAt >= stopAt) {
          sent--;
          socket.end();
          resolve();
          return;
        }
        socket.write(`${head}${Buffer.byteLength(payload)}\r\n\r\n${payload}`);
      };
      socket.setNoDelay(true);
      socket.setEncoding("latin1");
      socket.on("connect", next);
      socket.on("data", (chunk: string) => {
        received = received === "" ? chunk : received + chunk;
        const length = responseLength(received);
        if (length === 0) return;
        const status = received.slice(9, 12);
        received = received.slice(length);
        lastResponse = performance.now();
        histogram.record(lastResponse - sentAt);
        statuses[status] = (statuses[status] ?? 0) + 1;
        next();
      });
      socket.on("error", () => {
        statuses["error"] = (statuses["error"] ?? 0) + 1;
        resolve();
      });
      socket.on("close", () => resolve());
    });

  await Promise.all(Array.from({ length: connections }, () => drive(connect(port, host))));
  return {
    requests: sent,
    elapsedMs: lastResponse - start,
    statuses,
    latency: {
      p50: histogram.percentile(50),
      p90: histogram.percentile(90),
      p99: histogram.percentile(99),
      max: histogram.max,
    },
  };
}
