import assert from "node:assert/strict";
import { dayFromIso } from "@eventlogger/events/day";
import { Api } from "./api";
import { ApiProblem } from "./problem";

const BASE = new URL("https://numbers.example/service/");
const day = (iso: string): number => dayFromIso(iso) ?? assert.fail(iso);
const json = (body: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Response =>
  new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json", ...headers } });

interface Sent {
  readonly url: string;
  readonly key: string | null;
}

/** An Api whose requests are answered by a function. */
function apiOf(answer: (url: URL) => Response, key?: string): { readonly api: Api; readonly sent: Sent[] } {
  const sent: Sent[] = [];
  const send: typeof fetch = async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    sent.push({ url: url.href, key: new Headers(init?.headers).get("X-Read-Key") });
    return answer(url);
  };
  return { api: new Api(BASE, { get: () => key, set: () => undefined }, send), sent };
}

async function problemOf(answer: () => Response): Promise<Pick<ApiProblem, "kind" | "message" | "retryAfterMs">> {
  try {
    await apiOf(answer).api.hours(day("2026-05-17"));
  } catch (error) {
    assert.ok(error instanceof ApiProblem);
    const { kind, message, retryAfterMs } = error;
    return { kind, message, retryAfterMs };
  }
  return assert.fail("no problem");
}

describe("what the dashboard asks the service for", () => {
  it("requests go to the routes beside the page, with the read key in a header", async () => {
    const { api, sent } = apiOf(() => json({ hours: [] }), "s3cret");
    await api.hours(day("2026-05-17"));
    await api.breakdown("properties.a&b", { from: day("2026-05-01"), to: day("2026-05-17") }, 10);
    assert.deepEqual(sent, [
      { url: "https://numbers.example/service/hours/?date=2026-05-17", key: "s3cret" },
      {
        url: "https://numbers.example/service/breakdowns/?dimension=properties.a%26b&from=2026-05-01&to=2026-05-17&limit=10",
        key: "s3cret",
      },
    ]);
  });

  it("more days than one answer has are read in several requests, which must be of one generation", async () => {
    let generation = 1;
    const { api, sent } = apiOf((url) => {
      const date = url.searchParams.get("from");
      return json({ generation: generation++, daily_stats: [{ date }] });
    });
    const range = { from: day("2021-01-01"), to: day("2026-05-17") };
    await assert.rejects(api.days(range), { kind: "busy" });
    const constant = apiOf((url) => json({ generation: 1, daily_stats: [{ date: url.searchParams.get("from") }] }));
    const { daily_stats } = await constant.api.days(range);
    const ranges = constant.sent.map(({ url }) => url.slice(url.indexOf("?")));
    assert.deepEqual(ranges, ["?from=2021-01-01&to=2023-08-21", "?from=2023-08-22&to=2026-05-17"]);
    assert.equal(sent.length, 2);
    assert.equal(daily_stats.length, 2);
  });

  it("an error answer is the service's own message, and whether a retry makes sense", async () => {
    const errors = { errors: [{ field: "", message: "BigQuery is unavailable; retry" }] };
    assert.deepEqual(await problemOf(() => json(errors, 503, { "Retry-After": "5" })), {
      kind: "busy",
      message: "BigQuery is unavailable; retry (503)",
      retryAfterMs: 5000,
    });
    const unknown = { errors: [{ field: "date", message: "must be a date" }] };
    assert.deepEqual(await problemOf(() => json(unknown, 400)), {
      kind: "refused",
      message: "date must be a date (400)",
      retryAfterMs: undefined,
    });
    const key = { errors: [{ field: "", message: "This read key is not valid" }] };
    assert.equal((await problemOf(() => json(key, 401))).kind, "key");
  });

  it("an answer of another service, and no answer, are problems with a sentence of their own", async () => {
    const page = await problemOf(() => new Response("<p>hello", { headers: { "Content-Type": "text/html" } }));
    assert.equal(page.kind, "unreadable");
    assert.match(page.message, /answered with text\/html and not with JSON/);
    const bad = await problemOf(() => new Response("Bad Gateway", { status: 502 }));
    assert.deepEqual([bad.kind, bad.message], ["refused", "/hours/ answered 502"]);
    const none = await problemOf(() => {
      throw new TypeError("fetch failed");
    });
    assert.deepEqual([none.kind, none.message], ["network", "The service cannot be reached"]);
  });
});
