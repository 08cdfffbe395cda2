import { parseDay } from "@eventlogger/events/day";
import type { HoursAnswer, HourStats } from "../api/answers";
import { Chart, type ChartModel } from "../charts/chart";
import type { Measure } from "../view/view";
import { Card } from "./card";
import type { Context } from "./context";
import { el } from "./elements";
import { legend } from "./legend";
import { MEASURE_LABELS } from "./measureLabels";

const numberOf = (hour: HourStats, measure: Measure): number => hour[measure === "users" ? "persons" : measure];

/** `09` of the start of an hour; with its minutes where the zone has halves of hours. */
const clock = ({ hour }: HourStats): string => hour.slice(11, 16);

/** The hours of a day as bars. */
export class HoursCard {
  private readonly card = new Card("hours", "Hours");
  private readonly chart = new Chart();
  private readonly keys = el("div", { class: "legend bars" });
  private readonly empty = el("p", { class: "empty", hidden: "" }, "No events on this day.");

  constructor() {
    this.card.body.append(this.keys, this.chart.element, this.empty);
  }

  get element(): HTMLElement {
    return this.card.element;
  }

  showProblem(message: string): void {
    this.card.setNote(message);
  }

  /** @param before the hours of the day before; undefined when it is not shown */
  show(context: Context, answer: HoursAnswer, before: HoursAnswer | undefined): void {
    const { view, formats, today } = context;
    const { measure } = view;
    const day = parseDay(answer.date) ?? today;
    const { hours } = answer;
    const asOf = Date.parse(answer.as_of);
    const start = (hour: HourStats | undefined): number => (hour ? Date.parse(hour.hour) : Infinity);
    const isOver = (i: number): boolean => start(hours[i + 1]) <= asOf || day < today;
    const hasBegun = (i: number): boolean => start(hours[i]) <= asOf;
    // The clocks of two days differ when they are changed between them: hours with the same time are compared.
    const earlier = new Map(before?.hours.map((hour) => [clock(hour), hour] as const));
    const numberBefore = (hour: HourStats): number | null => {
      const same = earlier.get(clock(hour));
      return same ? numberOf(same, measure) : null;
    };
    const label = MEASURE_LABELS[measure];
    const beforeDay = before && parseDay(before.date);
    const model: ChartModel = {
      kind: "hours",
      unit: "count",
      xs: hours.map((_, i) => i),
      now: hours.map((hour, i) => (isOver(i) ? numberOf(hour, measure) : null)),
      partial: hours.map((hour, i) =>
        !isOver(i) && (hasBegun(i) || numberOf(hour, measure) > 0) ? numberOf(hour, measure) : null,
      ),
      before: before && hours.map(numberBefore),
      labelX: (x) => {
        const hour = hours[Math.round(x)];
        return hour && Number.isInteger(x) ? clock(hour) : "";
      },
      labelY: (value) => formats.short(value),
      describe: (i) => {
        const hour = hours[i];
        if (!hour) return [];
        const state = isOver(i) ? "" : hasBegun(i) ? ", not over yet" : ", still to come";
        const lines = [
          `${clock(hour)}${state}`,
          ...(["events", "sessions", "users"] as const).map(
            (name) => `${MEASURE_LABELS[name]}: ${formats.count(numberOf(hour, name))}`,
          ),
        ];
        const then = before ? numberBefore(hour) : null;
        return then === null ? lines : [...lines, `The day before: ${formats.count(then)} ${label.toLowerCase()}`];
      },
    };
    this.card.heading = `${label} by hour, ${day === today ? "today" : formats.day(day)}`;
    this.card.setNote(
      answer.refreshed_at === null
        ? "Hours are not computed yet: they come with the first run of `eventlogger refresh`."
        : "",
    );
    this.chart.show(`${label} by hour, ${formats.day(day)}`, model);
    this.empty.hidden = hours.some((hour) => hour.events > 0) || answer.refreshed_at === null;
    this.keys.replaceChildren(
      ...legend([
        ["now", formats.day(day)],
        ...(day >= today ? [["partial", "not over yet"] as const] : []),
        ...(beforeDay === undefined ? [] : [["before", formats.day(beforeDay)] as const]),
      ]),
    );
    this.card.setTable({
      name: `hours-${answer.date}`,
      columns: ["hour", "is_complete", "events", "sessions", "users", ...(before ? [`${measure}_day_before`] : [])],
      rows: hours.map((hour, i) => [
        ...[hour.hour, isOver(i) ? "yes" : "no", hour.events, hour.sessions, hour.persons],
        ...(before ? [numberBefore(hour)] : []),
      ]),
    });
  }
}
