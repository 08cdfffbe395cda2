import { connect } from "node:net";

/** An event that is accepted, with some fields changed. */
export function sampleEvent(fields: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    type: "event",
    session_id: "session-1",
    event_name: "page_view",
    event_time: 1_700_000_000_123,
    user_id: "user-1",
    ...fields,
  };
}

/** POSTs a value as JSON, or text and bytes as they are. */
export function post(url: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return fetch(`${url}/event/`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body),
  });
}

/** POSTs a batch: a value as JSON, or text and bytes as they are. */
export function postBatch(
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return fetch(`${url}/events/`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body),
  });
}

export interface ErrorBody {
  errors: { field: string; message: string }[];
}

/** The errors in an answer. */
export async function errorsOf(response: Response): Promise<ErrorBody["errors"]> {
  return ((await response.json()) as ErrorBody).errors;
}

/** Sends bytes over a new connection and returns everything received until it is closed. */
export function sendRaw(port: number, bytes: string | Uint8Array, endAfterMs?: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let received = "";
    socket.setEncoding("latin1");
    socket.on("connect", () => {
      socket.write(bytes);
      if (endAfterMs !== undefined) setTimeout(() => socket.destroy(), endAfterMs);
    });
    socket.on("data", (chunk: string) => (received += chunk));
    socket.on("close", () => resolve(received));
    socket.on("error", (error: NodeJS.ErrnoException) => (error.code === "ECONNRESET" ? undefined : reject(error)));
  });
}
