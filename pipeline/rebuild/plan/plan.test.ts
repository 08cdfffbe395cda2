import assert from "node:assert/strict";
import type { Price } from "../../costs/prices";
import { planLines, rebuildPlan } from "./plan";

const price = (dollars: number): Price => ({ what: "bytes", dollars, per: "TiB", source: "a list" });
const prices = { asOf: "2020-01-02", region: "EU", query: price(5), pubsub: price(50) };
const counts = [
  { partition: "2024-01-01", rows: 3_000_000 },
  { partition: "2024-01-02", rows: 7_000_000 },
];

describe("The plan of a rebuild", () => {
  it("adds up the rows, and estimates the cost of queries and of Pub/Sub by the given prices", () => {
    const plan = rebuildPlan(counts, 2 ** 39, prices);
    assert.deepEqual([plan.rows, plan.partitions, plan.queryCost], [10_000_000, 2, 2.5]);
    assert.ok(Math.abs(plan.pubsubCost - (plan.pubsubBytes / 2 ** 40) * 50) < 1e-9);
    assert.deepEqual(planLines(plan), [
      "rows      10,000,000 in 2 partitions of events",
      "BigQuery  549.8 GB read by queries, about $2.50",
      "Pub/Sub   4.6 GB published and delivered, about $0.21",
      "Prices    list prices for EU of 2020-01-02: $5 per TiB read by queries, $50 per TiB through Pub/Sub. Workers and storage are not included",
    ]);
  });

  it("says that the cost of queries is unknown when the server does not report what they read", () => {
    assert.match(planLines(rebuildPlan(counts, undefined, prices))[1] ?? "", /unknown/);
  });
});
