import assert from "node:assert/strict";
import { encodeMessage } from "@eventlogger/events/eventMessage";
import { validateEvent } from "@eventlogger/events/validation";
import { eventsTable } from "@eventlogger/gcp/bigquery/tables";
import { generateTraffic } from "@eventlogger/traffic/generator/trafficGenerator";
import { eventRow } from "../io/bigquery/eventRow";
import { costLines, priceList } from "./costLines";
import { machineOf } from "./machineTypes";
import { ASSUMPTIONS, monthlyCosts } from "./monthlyCosts";
import { PRICES, type Prices } from "./prices";

const NOW = Date.parse("2026-05-17T12:00:00Z");

const events = [...generateTraffic({ count: 2000, now: NOW, days: 3, anonymousIdShare: 0.3, seed: 7 })].flatMap(
  (input) => {
    const result = validateEvent(input, NOW);
    return result.ok ? [result.event] : [];
  },
);
const mean = (bytes: readonly number[]): number => bytes.reduce((sum, n) => sum + n, 0) / bytes.length;
const isNear = (measured: number, assumed: number): void =>
  assert.ok(Math.abs(measured / assumed - 1) < 0.1, `measured ${measured}, assumed ${assumed}`);

/** Logical bytes of a value (https://cloud.google.com/bigquery/pricing#data). */
function sizeOf(type: string, value: unknown): number {
  if (value === null) return 0;
  if (typeof value === "string" && (type === "STRING" || type === "JSON")) return 2 + Buffer.byteLength(value);
  return type === "BOOL" ? 1 : 8;
}

describe("The estimate of the monthly costs", () => {
  it("assumes the bytes that messages of generated traffic have", () => {
    isNear(
      mean(
        events.map((event) => {
          const { data, attributes } = encodeMessage(event);
          const names = Object.entries(attributes).flat();
          return data.length + names.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
        }),
      ),
      ASSUMPTIONS.messageBytes,
    );
  });

  it("assumes the bytes that rows of generated traffic have by BigQuery's sizes of types", () => {
    isNear(
      mean(
        events.map((event) => {
          const row: Readonly<Record<string, unknown>> = { ...eventRow(event) };
          return eventsTable.columns.reduce((sum, { name, type }) => sum + sizeOf(type, row[name]), 0);
        }),
      ),
      ASSUMPTIONS.rowBytes,
    );
  });

  it("multiplies each amount by its own price, and is proportional to the traffic where workers and instances are", () => {
    const settings = { machineType: "n2-standard-4", machine: machineOf("n2-standard-4") };
    const one: Prices = { ...PRICES };
    const base = monthlyCosts({ eventsPerDay: 10_000_000, ...settings }, one);
    for (const [name, price] of priceList(PRICES)) {
      const doubled = { ...PRICES, [name]: { ...price, dollars: 2 * price.dollars } };
      const changed = monthlyCosts({ eventsPerDay: 10_000_000, ...settings }, doubled);
      assert.ok(changed.total > base.total, name);
    }
    // By hand: 30 days * 10 million * 530 bytes * 3 / 2^40 TiB at 40 dollars.
    const dollars = Object.fromEntries(base.lines.map((line) => [line.service, line.dollars]));
    assert.equal(Math.round((dollars["Pub/Sub"] ?? 0) * 100) / 100, 17.35);
    // One worker of 4 vCPU and 16 GB for 720 hours: peak of 231 events a second.
    assert.equal(Math.round((dollars["Dataflow, workers"] ?? 0) * 100) / 100, 239.7);
    const large = monthlyCosts({ eventsPerDay: 1_000_000_000, ...settings });
    assert.match(
      large.lines.find(({ service }) => service === "Dataflow, workers")?.amount ?? "",
      /^6 of n2-standard-4$/,
    );
    const limited = monthlyCosts({ eventsPerDay: 1_000_000_000, ...settings, maxWorkers: 2 });
    assert.match(limited.lines[1]?.amount ?? "", /^2 of/);
    const base100 = monthlyCosts({ eventsPerDay: 1_000_000, ...settings });
    assert.ok(Math.abs((dollars["Pub/Sub"] ?? 0) / (base100.lines[0]?.dollars ?? 0) - 10) < 1e-9);
  });

  it("shows the total without the workers when the machine type is not known", () => {
    const costs = monthlyCosts({ eventsPerDay: 1000, machineType: "x9-mega-3", machine: machineOf("x9-mega-3") });
    const text = costLines(costs).join("\n");
    assert.match(text, /^Dataflow, workers +unknown +1 of x9-mega-3$/m);
    assert.match(text, /^total +\$[\d.]+ +without Dataflow, workers$/m);
    assert.match(text, new RegExp(`of ${PRICES.asOf}: https://cloud`));
  });

  it("knows what machine types have", () => {
    assert.deepEqual(machineOf("n1-standard-2"), { vcpus: 2, memoryGb: 7.5 });
    assert.deepEqual(machineOf("e2-highmem-8"), { vcpus: 8, memoryGb: 64 });
    for (const unknown of ["n1-ultramem-40", "custom-2-4096", "n2-standard", "t2a-highmem-2"]) {
      assert.equal(machineOf(unknown), undefined, unknown);
    }
  });
});
