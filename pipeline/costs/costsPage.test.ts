import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { priceList } from "./costLines";
import { machineOf } from "./machineTypes";
import { ASSUMPTIONS, monthlyCosts } from "./monthlyCosts";
import { dollarsText, PRICES } from "./prices";

const page = readFileSync(join(repositoryRoot, "docs/operations/costs.md"), "utf8");

/** The page must have the lines, in this order, without others between them. */
function assertOnPage(lines: readonly string[]): void {
  const text = lines.join("\n");
  assert.ok(page.includes(text), `docs/operations/costs.md must have these lines:\n${text}`);
}

describe("docs/operations/costs.md", () => {
  it("has the monthly costs that launch --cost-per estimates", () => {
    const rows = [100_000, 1_000_000, 10_000_000, 100_000_000].map((eventsPerDay) => {
      const machineType = "n1-standard-2";
      const { lines, total } = monthlyCosts({ eventsPerDay, machineType, machine: machineOf(machineType) });
      const cost = (service: RegExp): string =>
        dollarsText(
          lines.filter((line) => service.test(line.service)).reduce((sum, { dollars = 0 }) => sum + dollars, 0),
        );
      const services = [/^Pub/, /^Dataflow/, /^BigQuery, [ws]/, /^BigQuery, q/, /^Cloud Run/].map(cost);
      return `| ${[eventsPerDay.toLocaleString("en-US"), ...services, dollarsText(total)].join(" | ")} |`;
    });
    assertOnPage([
      "| events a day | Pub/Sub | Dataflow | rows and storage | queries | ingest | total |",
      "|---|---|---|---|---|---|---|",
      ...rows,
    ]);
  });

  it("has the prices with their date and their source", () => {
    assert.match(page, new RegExp(`List prices of ${PRICES.asOf} for ${PRICES.region}`));
    assertOnPage(
      priceList(PRICES).map(([, { what, dollars, per, source }]) => `| ${what} | $${dollars} | ${per} | ${source} |`),
    );
  });

  it("has the assumptions of the estimate", () => {
    for (const text of [
      `${ASSUMPTIONS.messageBytes} bytes`,
      `${ASSUMPTIONS.rowBytes} bytes`,
      `${ASSUMPTIONS.streamingEngineBytes.toLocaleString("en-US")} bytes`,
      `${ASSUMPTIONS.eventsPerSecondPerVcpu.toLocaleString("en-US")} events a second`,
      `${ASSUMPTIONS.requestsPerSecondPerInstance.toLocaleString("en-US")} requests a second`,
      `${ASSUMPTIONS.refreshRowBytes} bytes`,
      `${ASSUMPTIONS.verifyRowBytes} bytes`,
    ]) {
      assert.ok(page.includes(text), text);
    }
  });
});
