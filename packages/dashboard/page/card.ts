import { csvText, type ValueTable } from "@eventlogger/events/table/csv";
import { button, el } from "./elements";

/** The numbers of a picture. */
export interface CardTable extends ValueTable {
  /** Name of the file without its ending, such as `days-2026-05-01-2026-05-17`. */
  readonly name: string;
}

/** A part of the page with a heading, a picture, and its numbers as a table and as a file. */
export class Card {
  readonly element: HTMLElement;
  readonly body = el("div", { class: "card-body" });
  private readonly title: HTMLHeadingElement;
  private readonly note = el("p", { class: "note" });
  private readonly reading = el("p", { class: "reading" }, "Reading…");
  private readonly tools = el("div", { class: "card-tools" });
  private readonly details: HTMLDetailsElement | undefined;
  private readonly download: HTMLButtonElement;
  private table: CardTable | undefined;
  private shown: CardTable | undefined;

  /**
   * @param id unique on the page
   * @param hasTable false where the picture is a table itself
   */
  constructor(id: string, heading: string, hasTable = true) {
    this.title = el("h2", { id: `${id}-title` }, heading);
    this.download = button({ class: "quiet", "aria-label": `Download as CSV: ${heading}` }, "CSV", () => this.save());
    const head = el("div", { class: "card-head" }, this.title, this.tools);
    this.tools.append(this.download);
    this.element = el(
      "section",
      { id, class: "card", "aria-labelledby": `${id}-title` },
      head,
      this.reading,
      this.body,
      this.note,
    );
    if (hasTable) {
      this.details = el("details", { class: "numbers" }, el("summary", {}, "Numbers as a table"));
      this.details.addEventListener("toggle", () => this.showTable());
      this.element.append(this.details);
    }
    this.setTable(undefined);
    this.setNote("");
  }

  set heading(text: string) {
    this.title.textContent = text;
    this.download.setAttribute("aria-label", `Download as CSV: ${text}`);
  }

  /** Adds a control beside the heading. */
  addTool(element: HTMLElement): void {
    this.tools.prepend(element);
  }

  setNote(text: string): void {
    this.note.textContent = text;
    this.note.hidden = text === "";
    if (text !== "") this.reading.hidden = true;
  }

  /** @param table undefined while there are no numbers */
  setTable(table: CardTable | undefined): void {
    this.table = table;
    if (table) this.reading.hidden = true;
    this.download.disabled = table === undefined;
    if (this.details) this.details.hidden = table === undefined;
    this.showTable();
  }

  private showTable(): void {
    if (!this.details?.open || !this.table || this.table === this.shown) return;
    this.shown = this.table;
    const { columns, rows } = this.table;
    const head = el("tr", {}, ...columns.map((text) => el("th", { scope: "col" }, text)));
    const body = rows.map(([first, ...rest]) =>
      el(
        "tr",
        {},
        el("th", { scope: "row" }, String(first ?? "")),
        ...rest.map((cell) => el("td", {}, String(cell ?? ""))),
      ),
    );
    const table = el("table", {}, el("thead", {}, head), el("tbody", {}, ...body));
    const scroller = el(
      "div",
      { class: "scroller", tabindex: "0", role: "region", "aria-label": `${this.title.textContent}, as a table` },
      table,
    );
    this.details.querySelector(".scroller")?.remove();
    this.details.append(scroller);
  }

  private save(): void {
    if (!this.table) return;
    const url = URL.createObjectURL(new Blob([csvText(this.table)], { type: "text/csv;charset=utf-8" }));
    el("a", { href: url, download: `${this.table.name}.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }
}
