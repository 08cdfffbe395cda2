import { dayFromIso, dayToIso } from "@eventlogger/events/day";
import { isPreset, lengthOf, MAX_RANGE_DAYS, moved, PRESETS, type Days, type Preset } from "../view/period";
import { MEASURES, type Measure } from "../view/view";
import type { ChangeView, Context } from "./context";
import { button, Choice, el } from "./elements";
import { MEASURE_LABELS } from "./measureLabels";

const CUSTOM = "custom";
const presetOptions = Object.entries(PRESETS).map(
  ([name, { label }]) => [name as Preset | typeof CUSTOM, label] as const,
);

/** The controls of the view: range, comparison, and what bars count. */
export class Toolbar {
  readonly element: HTMLElement;
  private readonly choice: Choice<Preset | typeof CUSTOM>;
  private readonly from = el("input", { type: "date", required: "" });
  private readonly to = el("input", { type: "date", required: "" });
  private readonly dates: HTMLElement;
  private readonly problem = el("span", { class: "field-problem", role: "alert" });
  private readonly compare = el("input", { type: "checkbox" });
  private readonly measure: Choice<Measure>;
  private readonly next: HTMLButtonElement;
  private readonly range = el("span", { class: "range-text" });
  private context: Context | undefined;

  constructor(private readonly change: ChangeView) {
    this.choice = new Choice<Preset | typeof CUSTOM>("Range", [...presetOptions, [CUSTOM, "Other days"]], (value) =>
      this.onRange(value),
    );
    const previous = button({ class: "icon", "aria-label": "The period before" }, "‹", () => this.move(-1));
    this.next = button({ class: "icon", "aria-label": "The period after" }, "›", () => this.move(1));
    this.dates = el(
      "span",
      { class: "dates" },
      el("label", {}, el("span", {}, "From"), this.from),
      el("label", {}, el("span", {}, "to"), this.to),
      this.problem,
    );
    for (const input of [this.from, this.to]) input.addEventListener("change", () => this.onDates());
    this.compare.addEventListener("change", () => change({ compare: this.compare.checked }));
    this.measure = new Choice<Measure>(
      "Bars count",
      MEASURES.map((name) => [name, MEASURE_LABELS[name].toLowerCase()] as const),
      (measure) => change({ measure }),
    );
    this.element = el(
      "div",
      { class: "toolbar", role: "group", "aria-label": "View" },
      el("span", { class: "together" }, previous, this.choice.element, this.next),
      this.dates,
      this.range,
      el("label", { class: "check" }, this.compare, "Compare with the period before"),
      this.measure.element,
    );
  }

  show(context: Context): void {
    this.context = context;
    const { view, formats, period, today } = context;
    const isCustom = !("preset" in view.range);
    this.choice.value = "preset" in view.range ? view.range.preset : CUSTOM;
    this.dates.hidden = !isCustom;
    this.range.hidden = isCustom;
    this.range.textContent =
      lengthOf(period) === 1
        ? formats.dayOfWeek(period.to)
        : `${formats.day(period.from)} to ${formats.day(period.to)}`;
    if (!this.dates.contains(document.activeElement)) {
      this.from.value = dayToIso(period.from);
      this.to.value = dayToIso(period.to);
      this.problem.textContent = "";
    }
    this.compare.checked = view.compare;
    this.measure.value = view.measure;
    this.next.disabled = period.to >= today;
  }

  private onRange(value: Preset | typeof CUSTOM): void {
    if (value !== CUSTOM && isPreset(value)) this.change({ range: { preset: value } });
    else if (this.context) {
      this.change({ range: this.context.period });
      this.from.focus();
    }
  }

  private onDates(): void {
    const [from, to] = [dayFromIso(this.from.value), dayFromIso(this.to.value)];
    const problem = problemOf(from, to);
    this.problem.textContent = problem ?? "";
    if (problem === undefined && from !== undefined && to !== undefined) this.change({ range: { from, to } });
  }

  private move(periods: 1 | -1): void {
    if (!this.context) return;
    const { period, today } = this.context;
    const target = moved(period, periods * lengthOf(period));
    this.change({ range: presetOf(target, today) ?? target });
  }
}

/** The preset that has these days today. */
function presetOf({ from, to }: Days, today: number): { readonly preset: Preset } | undefined {
  const found = Object.entries(PRESETS).find(([, { days, ends }]) => to === today + ends && from === to - days + 1);
  return found && isPreset(found[0]) ? { preset: found[0] } : undefined;
}

function problemOf(from: number | undefined, to: number | undefined): string | undefined {
  if (from === undefined || to === undefined) return "Choose two dates";
  if (from > to) return "The first day must not be after the last one";
  if (lengthOf({ from, to }) > MAX_RANGE_DAYS) return `Choose at most ${MAX_RANGE_DAYS.toLocaleString()} days`;
  return undefined;
}
