import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "@eventlogger/process/packageRoot";

interface GridPosition {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

/** The parts of a panel of Grafana that are checked. */
export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: GridPosition;
  readonly datasource?: { readonly uid: string };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly targets?: readonly { readonly expr: string; readonly refId: string; readonly legendFormat: string }[];
}

/** The parts of a dashboard of Grafana that are checked. */
export interface Dashboard {
  readonly uid: string;
  readonly panels: readonly Panel[];
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
  readonly templating: { readonly list: readonly { readonly name: string; readonly type: string }[] };
}

/** Reads the dashboard of the repository. */
export function readDashboard(): Dashboard {
  const file = join(repositoryRoot, "docs", "operations", "grafana", "eventlogger.json");
  return JSON.parse(readFileSync(file, "utf8")) as Dashboard;
}

/** Panels with queries: all but the headings. */
export const plotsOf = ({ panels }: Dashboard): Panel[] => panels.filter(({ type }) => type !== "row");

/** Whether two panels cover the same place. */
export function overlap(a: GridPosition, b: GridPosition): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

/** An expression with values for the variables that Grafana replaces. */
export const withVariables = (expression: string): string => expression.replaceAll("$__rate_interval", "1m");
