import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { freePort } from "@eventlogger/process/ports";

export interface InsertedRow {
  readonly insertId?: string;
  readonly json: Record<string, unknown>;
}

export interface InsertRequest {
  readonly skipInvalidRows?: boolean;
  readonly rows: readonly InsertedRow[];
}

interface InsertError {
  readonly index: number;
  readonly errors: readonly object[];
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
  /** Rows that BigQuery refuses by name while it accepts others, for example because of a policy of the table. */
  refuses: (row: InsertedRow) => boolean;
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
      if (insert.rows.some(proxy.refuses)) return refuseRows(request, insert, reply);
    }
    const forwarded = await forward(request, body);
    reply(forwarded.status, await forwarded.text());
  }

  function forward(request: IncomingMessage, body: string): Promise<Response> {
    return fetch(target + (request.url ?? "/"), {
      method: request.method ?? "GET",
      headers: { "Content-Type": "application/json", Connection: "close" },
      ...(body ? { body } : {}),
    });
  }

  /** Answers like BigQuery when it refuses some rows: the others are inserted, or stopped. */
  async function refuseRows(
    request: IncomingMessage,
    { rows, skipInvalidRows }: InsertRequest,
    reply: (status: number, payload: string) => void,
  ): Promise<void> {
    const refused: InsertError[] = [];
    const others: number[] = [];
    for (const [index, row] of rows.entries()) {
      if (proxy.refuses(row)) refused.push({ index, errors: [{ reason: "invalid", message: "refused by a policy" }] });
      else others.push(index);
    }
    let otherErrors: InsertError[] = others.map((index) => ({ index, errors: [{ reason: "stopped", message: "" }] }));
    if (skipInvalidRows && others.length) {
      const accepted = { skipInvalidRows, rows: others.map((index) => rows[index]) };
      const forwarded = await forward(request, JSON.stringify(accepted));
      const text = await forwarded.text();
      if (forwarded.status !== 200) return reply(forwarded.status, text);
      const { insertErrors = [] } = JSON.parse(text) as { insertErrors?: InsertError[] };
      otherErrors = insertErrors.map(({ index, errors }) => ({ index: others[index] as number, errors }));
    }
    const answer = insertErrorsAnswer([...refused, ...otherErrors]);
    reply(200, JSON.stringify(answer?.body));
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
    refuses: () => false,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return proxy;
}
