import { AsyncLocalStorage } from "node:async_hooks";
import { subscribe } from "node:diagnostics_channel";
import type { ClientRequest } from "node:http";
import type { BigQuery } from "@google-cloud/bigquery";
import { formatDuration } from "@eventlogger/process/wait";

/** The HTTP requests of a call. */
type SentRequests = Set<ClientRequest>;

const sentRequests = new AsyncLocalStorage<SentRequests>();

/** https://nodejs.org/api/diagnostics_channel.html#http */
const REQUEST_CHANNEL = "http.client.request.start";

let isSubscribed = false;

function collectRequests(): void {
  if (isSubscribed) return;
  isSubscribed = true;
  subscribe(REQUEST_CHANNEL, (message) =>
    sentRequests.getStore()?.add((message as { request: ClientRequest }).request),
  );
}

/**
 * Limits the time of each call of a client. Google's library has an option for it, but its HTTP client (node-fetch 3) ignores
 * the option: a call over a connection that has died silently never ends. The library cannot abort a call either, so this
 * function destroys its HTTP request, which would keep its body in memory.
 * @param timeoutMs time limit of a call; its error then has the code `ETIMEDOUT`
 */
export function limitRequestTime(bigquery: BigQuery, timeoutMs: number): void {
  collectRequests();
  const request = bigquery.request.bind(bigquery);
  bigquery.request = (options, callback) => {
    const sent: SentRequests = new Set();
    let isOver = false;
    const timer = setTimeout(() => {
      isOver = true;
      const message = `BigQuery has not answered ${options.method ?? "GET"} ${options.uri} within ${formatDuration(timeoutMs)}`;
      const error = Object.assign(new Error(message), { code: "ETIMEDOUT" });
      for (const one of sent) one.destroy(error);
      callback(error);
    }, timeoutMs);
    sentRequests.run(sent, () =>
      request(options, (error, body: unknown, response) => {
        if (isOver) return;
        clearTimeout(timer);
        callback(error, body, response);
      }),
    );
  };
}
