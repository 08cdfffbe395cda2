import { dayStart, dayToIso } from "@eventlogger/events/day";
import { Chart, type ChartModel } from "../charts/chart";
import type { DailySeries, DayNumbers } from "../numbers/dailySeries";
import { changeRatio } from "../numbers/dailySeries";
import { METRICS } from "../numbers/metrics";
import { lengthOf, periodBefore } from "../view/period";
import { Card } from "./card";
import type { Context } from "./context";
import { el } from "./elements";
import { legend } from "./legend";

const HEADER = [
  "date",
  "is_complete",
  "active_users",
  "new_users",
  "weekly_active_users",
  "monthly_active_users",
  "sessions",
  "average_session_duration_sec",
];

/** The days of the range as lines. */
export class DaysCard {
  private readonly card = new Card("days", "Days");
  private readonly chart = new Chart();
  private readonly keys = el("div", { class: "legend" });
  private readonly empty = el("p", { class: "empty", hidden: "" }, "No events in these days.");

  constructor() {
    this.card.body.append(this.keys, this.chart.element, this.empty);
  }

  get element(): HTMLElement {
    return this.card.element;
  }

  show(context: Context, series: DailySeries): void {
    const { view, formats, period, today } = context;
    const { label, format } = METRICS[view.metric];
    const days = series.in(period);
    const before = view.compare ? series.in(periodBefore(period)) : undefined;
    const numberOf = (day: DayNumbers): number | null => day[view.metric];
    const isOver = ({ day }: DayNumbers): boolean => day < today;
    // The line of what is not over begins at the last complete day.
    const firstPartial = days.findIndex((day) => !isOver(day));
    const describe = (i: number): string[] => {
      const day = days[i];
      if (!day) return [];
      const earlier = before?.[i];
      const lines = [
        `${formats.dayOfWeek(day.day)}${isOver(day) ? "" : ", not over yet"}`,
        `${label}: ${formats.value(format, numberOf(day))}`,
      ];
      if (!earlier) return lines;
      const ratio = isOver(day) ? changeRatio({ now: numberOf(day), before: numberOf(earlier) }) : undefined;
      const change = ratio === undefined ? "" : ` (${formats.change(ratio)})`;
      return [...lines, `${formats.dayOfWeek(earlier.day)}: ${formats.value(format, numberOf(earlier))}${change}`];
    };
    const model: ChartModel = {
      kind: "days",
      unit: format,
      xs: days.map(({ day }) => dayStart(day) / 1000),
      now: days.map((day) => (isOver(day) ? numberOf(day) : null)),
      partial: days.map((day, i) => (firstPartial >= 0 && i >= firstPartial - 1 ? numberOf(day) : null)),
      before: before?.map(numberOf),
      labelX: (x, step) => (step >= 28 * 86_400 ? formats.month(x / 86_400) : formats.dayOfYear(x / 86_400)),
      labelY: (value) => (format === "seconds" ? formats.seconds(value) : formats.short(value)),
      describe,
    };
    const range = `${formats.day(period.from)} to ${formats.day(period.to)}`;
    this.card.heading = lengthOf(period) === 1 ? label : `${label} by day`;
    this.chart.show(`${label} by day, ${range}`, model);
    const isEmpty = days.every(
      (day) => day.active === 0 && day.sessions === 0 && numberOf(day) === (format === "seconds" ? null : 0),
    );
    this.empty.hidden = !isEmpty;
    const beforeDays = periodBefore(period);
    this.keys.replaceChildren(
      ...legend([
        ["now", range],
        ...(firstPartial >= 0 ? [["partial", "not over yet"] as const] : []),
        ...(before ? [["before", `${formats.day(beforeDays.from)} to ${formats.day(beforeDays.to)}`] as const] : []),
      ]),
    );
    this.card.setTable({
      name: `days-${dayToIso(period.from)}-${dayToIso(period.to)}`,
      columns: before ? [...HEADER, "date_before", `${view.metric}_before`] : HEADER,
      rows: days.map((day, i) => {
        const earlier = before?.[i];
        return [
          ...[
            dayToIso(day.day),
            isOver(day) ? "yes" : "no",
            day.active,
            day.new,
            day.weekly,
            day.monthly,
            day.sessions,
          ],
          ...[day.duration, ...(earlier ? [dayToIso(earlier.day), numberOf(earlier)] : [])],
        ];
      }),
    });
  }
}
