import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { freePort } from "@eventlogger/process/ports";

export interface InsertRequest {
  readonly skipInvalidRows?: boolean;
  readonly rows: readonly { readonly insertId?: string; readonly json: Record<string, unknown> }[];
}

/** A response instead of the server's; undefined forwards the request. */
export type Answer = { readonly status: number; readonly body: object } | undefined;

/** An answer of BigQuery that names rows which were not inserted. */
export function insertErrorsAnswer(insertErrors: readonly object[]): Answer {
  return { status: 200, body: { kind: "bigquery#tableDataInsertAllResponse", insertErrors } };
}

export interface RecordingProxy {
  readonly url: string;
  /** The insertAll requests so far. */
  readonly inserts: InsertRequest[];
  /** Answers insertAll requests where Google's service behaves differently from the emulator. */
  answer: (request: InsertRequest, nth: number) => Answer;
  stop(): Promise<void>;
}

/** Starts a proxy for the emulator that records insertAll requests. */
export async function startRecordingProxy(target: string): Promise<RecordingProxy> {
  const inserts: InsertRequest[] = [];

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    const reply = (status: number, payload: string): void => {
      response.writeHead(status, { "Content-Type": "application/json" }).end(payload);
    };
    if (request.url?.includes("/insertAll")) {
      const insert = JSON.parse(body) as InsertRequest;
      inserts.push(insert);
      const answer = proxy.answer(insert, inserts.length);
      if (answer) return reply(answer.status, JSON.stringify(answer.body));
    }
    const forwarded = await fetch(target + (request.url ?? "/"), {
      method: request.method ?? "GET",
      headers: { "Content-Type": "application/json", Connection: "close" },
      ...(body ? { body } : {}),
    });
    reply(forwarded.status, await forwarded.text());
  }

  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  const port = await freePort();
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const proxy: RecordingProxy = {
    url: `http://127.0.0.1:${port}`,
    inserts,
    answer: () => undefined,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return proxy;
}
