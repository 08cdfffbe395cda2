import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { backoffMs } from "@eventlogger/process/backoff";

/** The outcome of sending an event. */
export type Outcome =
  | { readonly kind: "accepted" }
  /** The server rejected the event permanently: 4xx. */
  | { readonly kind: "refused"; readonly status: number; readonly body: string }
  /** The sender gave up: the server was unreachable or busy for too long, or the sender was stopped. */
  | { readonly kind: "failed"; readonly reason: string };

export interface EventSenderOptions {
  /** The address to post events to. */
  readonly url: URL;
  /** The write key, if the service requires one. */
  readonly writeKey?: string;
  /** Maximum number of keep-alive connections. */
  readonly connections: number;
  /** How long sending an event is retried; ms. */
  readonly retryForMs: number;
  /** Aborts waiting for another attempt. A request in flight is not aborted; it has a timeout. */
  readonly signal: AbortSignal;
  readonly onRetry?: (reason: string) => void;
  /** User agent of the request that sends an event. Undefined: no header. */
  readonly userAgentOf?: (event: object) => string | undefined;
}

interface Answer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly body: string;
}

const REQUEST_TIMEOUT_MS = 30_000;
const BACKOFF = { initialMs: 100, maxMs: 5000 };

/** Parses a Retry-After header (seconds or a date) into milliseconds; undefined without a valid one. */
export function retryAfterMs(header: string | undefined, now = Date.now()): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** Posts single events over keep-alive connections, and retries while the server is busy or unreachable. */
export class EventSender {
  private readonly agent: HttpAgent | HttpsAgent;
  private readonly headers: Readonly<Record<string, string>>;

  constructor(private readonly options: EventSenderOptions) {
    const { writeKey } = options;
    this.headers = {
      "Content-Type": "application/json",
      ...(writeKey === undefined ? {} : { "X-Write-Key": writeKey }),
    };
    const agentOptions = { keepAlive: true, maxSockets: options.connections };
    this.agent = options.url.protocol === "https:" ? new HttpsAgent(agentOptions) : new HttpAgent(agentOptions);
  }

  /** Sends an event until it is accepted, refused or given up. Never rejects. */
  async send(event: object): Promise<Outcome> {
    const { signal, retryForMs, onRetry, userAgentOf } = this.options;
    const body = JSON.stringify(event);
    const userAgent = userAgentOf?.(event);
    const deadline = Date.now() + retryForMs;
    for (let failures = 1; ; failures++) {
      let reason: string;
      let wait: number | undefined;
      try {
        const answer = await this.post(body, userAgent);
        if (answer.status >= 200 && answer.status < 300) return { kind: "accepted" };
        if (answer.status < 500 && answer.status !== 429 && answer.status !== 408) {
          return { kind: "refused", status: answer.status, body: answer.body };
        }
        reason = `status ${answer.status}`;
        wait = retryAfterMs(answer.retryAfter);
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        reason = code ?? message;
      }
      wait ??= backoffMs(failures, BACKOFF);
      if (signal.aborted) return { kind: "failed", reason: `stopped after ${reason}` };
      if (Date.now() + wait > deadline) return { kind: "failed", reason };
      onRetry?.(reason);
      await sleep(wait, undefined, { signal }).catch(() => {});
      if (signal.aborted) return { kind: "failed", reason: `stopped after ${reason}` };
    }
  }

  /** Closes the connections. */
  close(): void {
    this.agent.destroy();
  }

  private post(body: string, userAgent: string | undefined): Promise<Answer> {
    const { url } = this.options;
    const request = url.protocol === "https:" ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      const headers = {
        ...this.headers,
        ...(userAgent !== undefined && { "User-Agent": userAgent }),
        "Content-Length": Buffer.byteLength(body),
      };
      const outgoing = request(url, { method: "POST", headers, agent: this.agent, timeout: REQUEST_TIMEOUT_MS });
      outgoing.once("error", reject);
      outgoing.once("timeout", () => outgoing.destroy(new Error(`no answer within ${REQUEST_TIMEOUT_MS / 1000} s`)));
      outgoing.once("response", (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.once("error", reject);
        response.once("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            retryAfter: response.headers["retry-after"],
            body: Buffer.concat(chunks).toString(),
          }),
        );
      });
      outgoing.end(body);
    });
  }
}
