import { BigQuery } from "@google-cloud/bigquery";

type RequestParameters = Parameters<BigQuery["request"]>;

/**
 * A successful answer that is not BigQuery's, for example of a proxy in between. Thrown instead of a result, so that nobody
 * takes the answer for "written" or "no rows". Find out what answers instead of BigQuery; the call can be repeated.
 */
export class ForeignAnswerError extends Error {
  constructor(uri: string, body: unknown) {
    const text = (typeof body === "string" ? body : (JSON.stringify(body) ?? "nothing")).slice(0, 100);
    super(
      `The answer to ${uri} is not BigQuery's: ${JSON.stringify(text)}. Is there a proxy between this program and BigQuery?`,
    );
    this.name = "ForeignAnswerError";
  }
}

/** Whether BigQuery made the answer: its answers are objects whose `kind` begins with `bigquery#`. */
function isFromBigQuery(body: unknown): boolean {
  const kind: unknown = (body as { kind?: unknown } | null | undefined)?.kind;
  return typeof kind === "string" && kind.startsWith("bigquery#");
}

/**
 * The client of Google's library, which takes any answer with status 200 for a success: it then reports rows as written,
 * a query as empty, or throws an error that nobody can catch.
 */
export class CheckedBigQuery extends BigQuery {
  override request(options: RequestParameters[0], callback: RequestParameters[1]): void {
    // A deletion is answered without a body.
    const hasBody = options.method !== "DELETE";
    super.request(options, (error, body: unknown, response) => {
      if (error || !hasBody || isFromBigQuery(body)) callback(error, body, response);
      else callback(new ForeignAnswerError(`${options.method ?? "GET"} ${options.uri}`, body), body, response);
    });
  }
}
