import { once } from "node:events";
import {
  createServer,
  request,
  Agent,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { FaultDecider } from "./callFaults";

/** A proxy for an HTTP service whose calls may have faults. */
export interface HttpFaultProxy {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  readonly faults: FaultDecider;
  stop(): Promise<void>;
}

/** An answer to a failed call. */
export interface ErrorAnswer {
  readonly status: number;
  readonly reason: string;
  /** Value of the header `Retry-After`, s. @default none */
  readonly retryAfter?: string;
}

/** The answers of an overloaded or failing BigQuery. */
const ERRORS: readonly ErrorAnswer[] = [
  { status: 500, reason: "internalError" },
  { status: 503, reason: "backendError" },
];

function without(headers: IncomingHttpHeaders, names: readonly string[]): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)));
}

/**
 * Starts a proxy.
 * @param target URL of the service, such as that of a BigQuery emulator
 * @param answers to failed calls, one after the other
 */
export async function startHttpFaultProxy(target: string, answers = ERRORS): Promise<HttpFaultProxy> {
  const faults = new FaultDecider();
  const agent = new Agent({ keepAlive: true });
  let errors = 0;

  function fail(response: ServerResponse): void {
    const { status, reason, retryAfter } = answers[errors++ % answers.length] as ErrorAnswer;
    const message = "The proxy answers this call with an error";
    const body = { error: { code: status, message, errors: [{ reason, message, domain: "global" }] } };
    if (retryAfter !== undefined) response.setHeader("Retry-After", retryAfter);
    response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
  }

  async function forward(call: IncomingMessage, body: Buffer): Promise<[IncomingMessage, Buffer]> {
    const headers = without(call.headers, ["host"]);
    const forwarded = request(target + (call.url ?? "/"), { method: call.method ?? "GET", headers, agent });
    const answered = once(forwarded, "response") as Promise<[IncomingMessage]>;
    forwarded.end(body);
    const [answer] = await answered;
    return [answer, await buffer(answer)];
  }

  async function handle(call: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(call);
    const fault = faults.decide(call.url ?? "/");
    if (fault === "no answer") return;
    if (fault === "error") return fail(response);
    const [answer, content] = await forward(call, body);
    if (fault === "answer lost") return fail(response);
    const headers = without(answer.headers, ["transfer-encoding", "connection"]);
    response.writeHead(answer.statusCode ?? 502, headers).end(content);
  }

  const server = createServer((call, response) => {
    handle(call, response).catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    faults,
    async stop() {
      server.closeAllConnections();
      agent.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
