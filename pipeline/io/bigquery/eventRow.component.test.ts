import assert from "node:assert/strict";
import { eventRow } from "./eventRow";
import { runQuery } from "@eventlogger/gcp/bigquery/query";
import { useBigQueryEmulator } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { event } from "@eventlogger/gcp/bigquery/testing/rows";

describe("eventRow", () => {
  const fixture = useBigQueryEmulator();
  const lastMs = Date.parse("2024-02-29T23:59:59.999Z");

  it("the raw table keeps an event's milliseconds, UTC day and properties", async () => {
    const dataset = await fixture.freshDataset();
    const properties = { cart: { items: [1, 2.5], note: "späť \u{1f680} \"quoted\" \\ and 'single'" } };
    const row = eventRow(event({ event_time: lastMs, user_id: "u", page: "/p", properties }));
    assert.equal(row.event_date, "2024-02-29");
    await fixture.bigquery
      .dataset(dataset)
      .table("events")
      .insert([row, eventRow(event({ event_time: 0, session_id: "t" }))]);
    const rows = await runQuery(
      fixture.bigquery,
      `SELECT UNIX_MILLIS(event_time) AS ms, CAST(event_date AS STRING) AS day, IFNULL(user_id, 'anonymous') AS user_id,
              IFNULL(TO_JSON_STRING(properties), 'none') AS properties, UNIX_MILLIS(received_at) AS received,
              IFNULL(JSON_VALUE(properties, '$.cart.items[1]'), '-') AS item
       FROM ${dataset}.events ORDER BY event_time DESC`,
    );
    const first = rows[0];
    assert.ok(first);
    assert.equal(first.number("ms"), lastMs);
    assert.equal(first.number("received"), lastMs + 1000);
    assert.equal(first.text("day"), "2024-02-29");
    assert.equal(first.text("item"), "2.5");
    assert.deepEqual(JSON.parse(first.text("properties")), properties);
    const second = rows[1];
    assert.ok(second);
    assert.equal(second.number("ms"), 0);
    assert.equal(second.text("user_id"), "anonymous");
    assert.equal(second.text("properties"), "none");
  });

  it("the raw table keeps the anonymous id, the original time, and where an event comes from", async () => {
    const dataset = await fixture.freshDataset();
    const origin = { app: "shop", platform: "web", referrer: "search.example", browser: "Firefox", os: "Linux" };
    const full = event({ event_time: lastMs, anonymous_id: "a-1", ...origin, is_bot: true, original_event_time: -1 });
    const events = fixture.bigquery.dataset(dataset).table("events");
    await events.insert([eventRow(full), eventRow(event({ event_time: 0 }))]);
    const rows = await runQuery(
      fixture.bigquery,
      `SELECT anonymous_id, app, platform, referrer, browser, os, UNIX_MILLIS(original_event_time) AS original_ms
       FROM ${dataset}.events WHERE is_bot`,
    );
    const [row, ...others] = rows;
    assert.ok(row);
    assert.deepEqual(others, []);
    for (const [column, value] of Object.entries({ anonymous_id: "a-1", ...origin })) {
      assert.equal(row.text(column), value);
    }
    assert.equal(row.number("original_ms"), -1);
  });

  it("events_unique shows each event_id once, as it was first received", async () => {
    const dataset = await fixture.freshDataset();
    const twice = event({ event_id: "a", event_time: lastMs, received_at: 2000, page: "second" });
    await fixture.bigquery
      .dataset(dataset)
      .table("events")
      .insert([
        eventRow(twice),
        eventRow({ ...twice, received_at: 1000, page: "first" }),
        eventRow({ ...twice, received_at: 3000, page: "third" }),
        eventRow({ ...twice, event_id: "b", page: "other" }),
      ]);
    const rows = await runQuery(fixture.bigquery, `SELECT event_id, page FROM ${dataset}.events_unique ORDER BY page`);
    assert.deepEqual(
      rows.map((r) => [r.text("event_id"), r.text("page")]),
      [
        ["a", "first"],
        ["b", "other"],
      ],
    );
  });
});
