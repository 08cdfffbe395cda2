import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { batchBodies, eventBodies } from "@eventlogger/traffic/load/eventBodies";

export interface RecordingLoadOptions {
  readonly port: number;
  /** Part of every event id, so that the ids of different loads differ. */
  readonly run: string;
  /** Clients that send one event at a time. @default 24 */
  readonly singles?: number;
  /** Clients that send batches. @default 4 */
  readonly batchers?: number;
  /** @default 25 */
  readonly batchSize?: number;
  /** Pause of a client after an answer, ms. @default 20 */
  readonly pauseMs?: number;
}

/** The recovery of a service, ms since {@link RecordingLoad.mark}. */
export interface Recovery {
  /** Time of the first answer 2xx; Infinity when there was none. */
  readonly firstSuccessMs: number;
  /** Time when the last failed request was sent; 0 when no request failed. */
  readonly lastFailureMs: number;
}

/** Pause before a retry, ms. Shorter than Retry-After, so that a recovery is seen immediately. */
const RETRY_MS = 100;
/** Longer than the limit of the service, ms. */
const REQUEST_TIMEOUT_MS = 40_000;

interface Answer {
  /** 0 when there was no answer. */
  readonly status: number;
  readonly body: string;
}

/**
 * Load like that of real clients: a request that is not answered by 2xx is retried unchanged. Records which events the
 * service has acknowledged.
 */
export class RecordingLoad {
  /** Ids of the acknowledged events. */
  readonly acknowledged: string[] = [];
  private readonly counts = new Map<string, number>();
  private readonly clients: Promise<void>[];
  private readonly agent: Agent;
  private stopping = false;
  private markedAt = performance.now();
  private firstSuccessAt = Infinity;
  private lastFailureAt: number;

  constructor(private readonly options: RecordingLoadOptions) {
    const { run, singles = 24, batchers = 4, batchSize = 25 } = options;
    this.lastFailureAt = this.markedAt;
    this.agent = new Agent({ keepAlive: true, maxSockets: singles + batchers });
    const single = eventBodies(`${run}-s`, Date.now());
    const batch = batchBodies(`${run}-b`, Date.now(), batchSize);
    const counter = (): (() => number) => {
      let n = 0;
      return () => n++;
    };
    const [nextSingle, nextBatch] = [counter(), counter()];
    this.clients = [
      ...Array.from({ length: singles }, () =>
        this.client("/event/", 204, nextSingle, single, (n) => [`${run}-s-${n}`]),
      ),
      ...Array.from({ length: batchers }, () =>
        this.client("/events/", 200, nextBatch, batch, (n) =>
          Array.from({ length: batchSize }, (_, i) => `${run}-b-${n * batchSize + i}`),
        ),
      ),
    ];
  }

  /** Number of answers by status; "none" counts requests without an answer. */
  get statuses(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.counts);
  }

  /** Number of answers other than 2xx, and of requests without an answer. */
  get failures(): number {
    let failures = 0;
    for (const [status, count] of this.counts) if (!status.startsWith("2")) failures += count;
    return failures;
  }

  /** Time since the last failed request was sent, or since the start, ms. */
  get msSinceFailure(): number {
    return performance.now() - this.lastFailureAt;
  }

  /** Sets the start of {@link recovery}. */
  mark(): void {
    this.markedAt = this.lastFailureAt = performance.now();
    this.firstSuccessAt = Infinity;
  }

  recovery(): Recovery {
    return {
      firstSuccessMs: Math.round(this.firstSuccessAt - this.markedAt),
      lastFailureMs: Math.round(this.lastFailureAt - this.markedAt),
    };
  }

  /** Stops, after the answers to the requests in flight. */
  async stop(): Promise<void> {
    this.stopping = true;
    await Promise.all(this.clients);
    this.agent.destroy();
  }

  private async client(
    path: string,
    success: number,
    next: () => number,
    body: (n: number) => string,
    ids: (n: number) => readonly string[],
  ): Promise<void> {
    while (!this.stopping) {
      const n = next();
      const payload = body(n);
      const accepted = ids(n);
      while (!(await this.attempt(path, payload, success, accepted))) {
        if (this.stopping) return;
        await sleep(RETRY_MS);
      }
      await sleep(this.options.pauseMs ?? 20);
    }
  }

  /** Sends a request. @returns whether the service has acknowledged the events */
  private async attempt(path: string, payload: string, success: number, ids: readonly string[]): Promise<boolean> {
    const sentAt = performance.now();
    const { status, body } = await this.post(path, payload);
    const isSuccess = status === success;
    // All events are valid, so a rejected event is as wrong as a lost one.
    const isRejected = isSuccess && status === 200 && !body.includes(`"accepted":${ids.length},`);
    const key = status === 0 ? "none" : isRejected ? "rejected" : String(status);
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
    if (isSuccess && !isRejected) {
      this.acknowledged.push(...ids);
      this.firstSuccessAt = Math.min(this.firstSuccessAt, performance.now());
      return true;
    }
    this.lastFailureAt = Math.max(this.lastFailureAt, sentAt);
    return false;
  }

  private post(path: string, payload: string): Promise<Answer> {
    return new Promise((resolve) => {
      const none = (): void => resolve({ status: 0, body: "" });
      const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(payload) };
      const options = { host: "127.0.0.1", port: this.options.port, path, method: "POST", agent: this.agent, headers };
      const sending = request({ ...options, timeout: REQUEST_TIMEOUT_MS }, (response) => {
        let body = "";
        response.setEncoding("latin1").on("data", (text: string) => (body += text));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
        response.on("error", none);
      });
      sending.on("timeout", () => sending.destroy());
      sending.on("error", none);
      sending.end(payload);
    });
  }
}
