import { dayToIso } from "@eventlogger/events/day";
import type { BreakdownAnswer, BreakdownNumbers } from "../api/answers";
import type { BreakdownChanges } from "../numbers/breakdownChanges";
import { changeRatio } from "../numbers/dailySeries";
import { lengthOf } from "../view/period";
import type { Measure } from "../view/view";
import { Card } from "./card";
import type { Context } from "./context";
import { button, Choice, el } from "./elements";

/** Numbers of values that can be shown. */
const LIMITS = [10, 100, 1000] as const;

/** Names of dimensions that are clearer than those of their columns. */
const NAMES: Readonly<Record<string, string>> = {
  event_name: "Event",
  app: "App",
  country: "Country",
  region: "Region",
  city: "City",
  page: "Page",
  platform: "Platform",
  referrer: "Referrer",
};

export function dimensionLabel(dimension: string): string {
  return NAMES[dimension] ?? dimension.replace(/^properties\./, "");
}

/** The values of a dimension with their numbers, as a table with bars. */
export class BreakdownCard {
  private readonly card: Card;
  private readonly choice: Choice<string>;
  private readonly more: HTMLButtonElement;
  private step = 0;

  /** @param onChange called when the reader wants another dimension @param onMore when more values */
  constructor(id: string, onChange: (dimension: string) => void, onMore: () => void) {
    this.card = new Card(id, "Breakdown", false);
    this.choice = new Choice<string>("Dimension", [], onChange, { class: "choice compact" });
    this.more = button({ class: "quiet" }, "More values", () => {
      this.step = (this.step + 1) % LIMITS.length;
      onMore();
    });
    this.card.addTool(this.choice.element);
    this.card.element.append(this.more);
    this.more.hidden = true;
  }

  get element(): HTMLElement {
    return this.card.element;
  }

  /** How many values it wants. */
  get limit(): number {
    return LIMITS[this.step] ?? LIMITS[0];
  }

  showProblem(message: string): void {
    this.card.setNote(message);
  }

  /** Before the first refresh. */
  showNotComputed(): void {
    this.card.body.replaceChildren(el("p", { class: "empty" }, "Not computed yet."));
    this.card.setNote("Breakdowns and hours come with the first run of `eventlogger refresh`.");
  }

  /** @param changes undefined when there is nothing to compare with */
  show(context: Context, answer: BreakdownAnswer, changes: BreakdownChanges | undefined): void {
    const { view, formats, period } = context;
    const { dimension, dimensions, values, other, totals } = answer;
    const label = dimensionLabel(dimension);
    const isOneDay = lengthOf(period) === 1;
    const usersOf = (numbers: BreakdownNumbers): number | null => (isOneDay ? numbers.persons : numbers.person_days);
    const numberOf = (numbers: BreakdownNumbers, measure: Measure): number | null =>
      measure === "users" ? usersOf(numbers) : numbers[measure];
    this.card.heading = `By ${label.toLowerCase()}`;
    this.choice.offer(dimensions.map((name) => [name, dimensionLabel(name)] as const));
    this.choice.value = dimension;
    const usersLabel = isOneDay ? "Users" : "User days";
    const whole = numberOf(totals, view.measure) ?? 0;
    // The longest bar is as wide as its column.
    const largest = Math.max(1, ...[...values, other].map((numbers) => numberOf(numbers, view.measure) ?? 0));
    const share = (numbers: BreakdownNumbers): number | undefined => {
      const number = numberOf(numbers, view.measure);
      return number === null || whole === 0 ? undefined : number / whole;
    };
    const compared = view.compare ? changes : undefined;
    const changeOf = (value: string): ReturnType<BreakdownChanges["of"]> | undefined =>
      compared?.of(value, (numbers) => numberOf(numbers, view.measure));
    const row = (
      name: HTMLElement | string,
      numbers: BreakdownNumbers,
      kind: string,
      change?: ReturnType<typeof changeOf>,
    ): HTMLTableRowElement => {
      const part = share(numbers);
      const bar = el("span", { class: "bar", "aria-hidden": "true" });
      bar.style.width = `${(100 * (numberOf(numbers, view.measure) ?? 0)) / largest}%`;
      return el(
        "tr",
        { class: kind },
        el("th", { scope: "row" }, bar, el("span", { class: "value" }, name)),
        el("td", {}, formats.count(numbers.events)),
        el("td", {}, formats.count(numbers.sessions)),
        el("td", {}, formats.count(usersOf(numbers))),
        el("td", { class: "share" }, part === undefined ? "–" : formats.percent(part)),
        ...(compared ? [changeCell(change, formats)] : []),
      );
    };
    const columns: readonly (readonly [string, string])[] = [
      ...[label, "Events", "Sessions", usersLabel].map((text) => [text, ""] as const),
      ["Share", "share"],
      ...(compared ? [["Change", "change"] as const] : []),
    ];
    const head = el("tr", {}, ...columns.map(([text, kind]) => el("th", { scope: "col", class: kind }, text)));
    const rows = values.map((value) => row(valueName(value.value), value, "", changeOf(value.value)));
    const rest =
      other.value_count > 0
        ? [row(`(${formats.count(other.value_count)} ${other.value_count === 1 ? "other" : "others"})`, other, "other")]
        : [];
    this.card.body.replaceChildren(
      values.length === 0
        ? el("p", { class: "empty" }, "No events in these days.")
        : el("table", { class: "breakdown" }, el("thead", {}, head), el("tbody", {}, ...rows, ...rest)),
    );
    this.card.setNote("");
    this.more.hidden = other.value_count === 0 && this.step === 0;
    this.more.textContent = this.step === LIMITS.length - 1 || other.value_count === 0 ? "Fewer values" : "More values";
    this.card.setTable({
      name: `${dimension.replaceAll(/[^\w-]/g, "-")}-${dayToIso(period.from)}-${dayToIso(period.to)}`,
      columns: [
        ...[dimension, "events", "sessions", isOneDay ? "users" : "user_days"],
        ...(compared ? [`${view.measure}_complete_days`, `${view.measure}_before`] : []),
      ],
      rows: [
        ...values.map((value) => {
          const change = changeOf(value.value);
          const both = change ? [change.now, change.before] : [];
          return [value.value, value.events, value.sessions, usersOf(value), ...both];
        }),
        ...(other.value_count > 0
          ? [["(other)", other.events, other.sessions, usersOf(other), ...(compared ? [null, null] : [])]]
          : []),
      ],
    });
  }
}

function changeCell(
  change: ReturnType<BreakdownChanges["of"]> | undefined,
  formats: Context["formats"],
): HTMLTableCellElement {
  const ratio = change && changeRatio(change);
  if (!change || ratio === undefined) {
    const isNew = change?.before === 0 && change.now !== null && change.now > 0;
    return el("td", { class: "change" }, isNew ? "new" : "–");
  }
  const direction = ratio > 0 ? "up" : ratio < 0 ? "down" : "";
  const title = `${formats.count(change.now)} in complete days, ${formats.count(change.before)} in those of the period before`;
  return el("td", { class: `change ${direction}`, title }, formats.change(ratio));
}

/** Values that are no texts of events are set apart. */
function valueName(value: string): HTMLElement | string {
  return value === "(none)" ? el("em", {}, "(none)") : value === "" ? el("em", {}, "(empty)") : value;
}
