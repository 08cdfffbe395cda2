import type { MonthlyCosts } from "./monthlyCosts";
import { dollarsText, type Price, type Prices } from "./prices";

const isPrice = (entry: readonly [string, unknown]): entry is [string, Price] => typeof entry[1] === "object";

/** The list prices by name. */
export function priceList(prices: Prices): [string, Price][] {
  return Object.entries(prices).filter(isPrice);
}

/** A bill for people. */
export function costLines({ eventsPerDay, lines, total, prices }: MonthlyCosts): string[] {
  const unknown = lines.filter(({ dollars }) => dollars === undefined);
  const text = (dollars: number | undefined): string => (dollars === undefined ? "unknown" : dollarsText(dollars));
  const width = Math.max(...lines.map(({ service }) => service.length));
  const row = (service: string, dollars: number | undefined, amount: string): string =>
    `${service.padEnd(width)}  ${text(dollars).padStart(15)}  ${amount}`.trimEnd();
  const sources = [...new Set(priceList(prices).map(([, { source }]) => source))];
  return [
    `a month of ${eventsPerDay.toLocaleString("en-US")} events a day, estimated`,
    ...lines.map(({ service, dollars, amount }) => row(service, dollars, amount)),
    row("total", total, unknown.length ? `without ${unknown.map(({ service }) => service).join(", ")}` : ""),
    `List prices in US dollars for ${prices.region} of ${prices.asOf}: ${sources.join(" ")}`,
    "Free amounts and discounts are not deducted. Nothing of this was measured on the services: docs/operations/costs.md",
  ];
}
