import { parseDay } from "@eventlogger/events/day";
import type { RetentionAnswer } from "../api/answers";
import { Card } from "./card";
import type { Context } from "./context";
import { el } from "./elements";

/** The most weeks that are shown beside each other. */
const MAX_WEEKS = 12;

/** Which part of the users of each week came back in the weeks after it. */
export class RetentionCard {
  private readonly card = new Card("retention", "Weekly retention", false);

  get element(): HTMLElement {
    return this.card.element;
  }

  showProblem(message: string): void {
    this.card.setNote(message);
  }

  show({ formats, today }: Context, { cohorts }: RetentionAnswer): void {
    const weeks = Math.min(MAX_WEEKS, Math.max(0, ...cohorts.map(({ retained }) => retained.length - 1)));
    const offsets = Array.from({ length: weeks + 1 }, (_, n) => n);
    const headings = ["Week of first visit", "Users", ...offsets.map((n) => `Week ${n}`)];
    const head = el("tr", {}, ...headings.map((text) => el("th", { scope: "col" }, text)));
    const rows = cohorts.map(({ week, size, retained }) => {
      const monday = parseDay(week) ?? 0;
      const cells = offsets.map((n) => {
        const begins = monday + 7 * n;
        if (begins > today) return el("td", { class: "none" });
        const persons = retained[n] ?? 0;
        const ratio = size === 0 ? 0 : persons / size;
        const isOver = begins + 6 < today;
        const cell = el("td", { class: isOver ? "heat" : "heat partial" }, formats.percent(ratio));
        cell.style.setProperty("--heat", String(Math.round(100 * ratio)));
        cell.title = `${formats.count(persons)} of ${formats.count(size)} users${isOver ? "" : ", the week is not over yet"}`;
        if (!isOver) cell.append(el("span", { class: "hidden" }, " (not over yet)"));
        return cell;
      });
      return el("tr", {}, el("th", { scope: "row" }, formats.day(monday)), el("td", {}, formats.count(size)), ...cells);
    });
    const table = el("table", { class: "retention" }, el("thead", {}, head), el("tbody", {}, ...rows));
    this.card.body.replaceChildren(
      cohorts.length === 0
        ? el("p", { class: "empty" }, "No users began in these weeks.")
        : el(
            "div",
            { class: "scroller", tabindex: "0", role: "region", "aria-label": "Weekly retention, as a table" },
            table,
          ),
    );
    this.card.setNote(
      cohorts.length === 0
        ? ""
        : "Share of the users of a week who were active in the weeks after it. Italics: not over yet.",
    );
    this.card.setTable({
      name: "retention",
      columns: ["week", "users", ...offsets.map((n) => `week_${n}`)],
      rows: cohorts.map(({ week, size, retained }) => [
        ...[week, size],
        ...offsets.map((n) => ((parseDay(week) ?? 0) + 7 * n > today ? null : (retained[n] ?? 0))),
      ]),
    });
  }
}
