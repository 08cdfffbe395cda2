import { changeRatio, summarize, type DailySeries } from "../numbers/dailySeries";
import { METRIC_NAMES, METRICS, type Metric } from "../numbers/metrics";
import { lengthOf } from "../view/period";
import type { ChangeView, Context } from "./context";
import { button, el } from "./elements";

/** A number with its name and what it counts. */
interface Tile {
  readonly value: HTMLElement;
  readonly unit: HTMLElement;
  readonly change: HTMLElement;
}

function tileParts(label: string): { readonly tile: Tile; readonly parts: HTMLElement[] } {
  const value = el("span", { class: "tile-value" }, "–");
  const unit = el("span", { class: "tile-unit" });
  const change = el("span", { class: "tile-change" });
  return { tile: { value, unit, change }, parts: [el("span", { class: "tile-label" }, label), value, unit, change] };
}

/** The numbers of the range, each with its change. A press shows its days in the chart. */
export class Tiles {
  readonly element: HTMLElement;
  private readonly tiles = new Map<Metric, Tile & { readonly button: HTMLButtonElement }>();
  private readonly total: Tile;

  constructor(change: ChangeView) {
    const buttons = METRIC_NAMES.map((metric) => {
      const { tile, parts } = tileParts(METRICS[metric].label);
      const pressable = button({ class: "tile", "data-metric": metric }, "", () => change({ metric }));
      pressable.append(...parts);
      this.tiles.set(metric, { ...tile, button: pressable });
      return pressable;
    });
    const { tile, parts } = tileParts("Total users");
    this.total = tile;
    tile.unit.textContent = "of all time";
    const total = el("div", { class: "tile", "data-metric": "total" }, ...parts);
    this.element = el("section", { class: "tiles", "aria-label": "Numbers of the range" }, ...buttons, total);
  }

  show(context: Context, series: DailySeries, totalUsers: number): void {
    const { view, formats, period, today } = context;
    for (const [metric, tile] of this.tiles) {
      const { format, range, unit } = METRICS[metric];
      const { value, change } = summarize(metric, series, period, today);
      tile.button.setAttribute("aria-pressed", String(view.metric === metric));
      tile.value.textContent = range === "mean" ? formats.mean(value) : formats.value(format, value);
      tile.unit.textContent = unitOf(unit, range, lengthOf(period), period.to >= today);
      const ratio = change && changeRatio(change);
      tile.change.className = "tile-change";
      tile.change.textContent = "";
      if (!view.compare) continue;
      if (ratio === undefined) {
        tile.change.textContent = change === undefined ? "not over yet" : change.before === null ? "" : noBasis(change);
        continue;
      }
      const direction = ratio > 0 ? "up" : ratio < 0 ? "down" : "same";
      tile.change.classList.add(direction);
      const before =
        range === "mean" ? formats.mean(change?.before ?? null) : formats.value(format, change?.before ?? null);
      tile.change.textContent = `${ARROWS[direction]} ${formats.change(ratio)}`;
      tile.change.append(el("span", { class: "hidden" }, ` against ${before} in the period before`));
      tile.button.title = comparison(change?.days ?? 0, before, period.to >= today);
    }
    this.total.value.textContent = formats.count(totalUsers);
    const { value: added } = summarize("new", series, period, today);
    this.total.change.textContent = added === null ? "" : `+${formats.count(added)} in the range`;
  }
}

const ARROWS = { up: "▲", down: "▼", same: "=" } as const;

function noBasis({ now }: { readonly now: number | null }): string {
  return now === 0 || now === null ? "" : "none before";
}

function unitOf(unit: string, range: string, days: number, endsToday: boolean): string {
  if (range === "last") return unit;
  if (days > 1) return range === "sum" ? `in ${days.toLocaleString()} days` : unit;
  if (range === "ratio") return unit;
  return endsToday ? "so far today" : "on the day";
}

function comparison(days: number, before: string, leavesOut: boolean): string {
  const rest = leavesOut ? " Today is left out on both sides, because it is not over." : "";
  return `Compared with ${before} in the same ${days === 1 ? "day" : `${days} days`} of the period before.${rest}`;
}
