import uPlot from "uplot";
import { el } from "../page/elements";
import { readPalette, type Palette } from "./palette";

/** Values by position; null leaves a gap. */
type Values = readonly (number | null)[];

/** What a chart shows. */
export interface ChartModel {
  /** Places on the horizontal axis, ascending: seconds of a UTC day's start, or numbers of hours. */
  readonly xs: readonly number[];
  /** `days` has an axis of dates and lines, `hours` one of hours and bars. */
  readonly kind: "days" | "hours";
  /** What the values are. */
  readonly unit: "count" | "seconds";
  /** What is over. */
  readonly now: Values;
  /** What is not over, and the last value before it, which its line begins at. */
  readonly partial: Values;
  /** The period before, at the same places; undefined when it is not shown. */
  readonly before: Values | undefined;
  /** Labels of places on the axis. @param step the distance of two labels, in the unit of `xs` */
  labelX(x: number, step: number): string;
  labelY(value: number): string;
  /** All that there is to know about one place: shown beside the pointer, and read by screen readers. */
  describe(index: number): readonly string[];
}

const DAY_SEC = 86_400;
/** Distances of labels: days and weeks, and from 30 days on the first days of months. */
const DAY_STEPS = [1, 2, 7, 14, 30, 60, 90, 180, 365].map((days) => days * DAY_SEC);
/** Distances of labels of counts: whole numbers. */
const COUNT_STEPS = Array.from({ length: 13 }, (_, power) => [1, 2, 5].map((n) => n * 10 ** power)).flat();
/** Distances of labels of seconds. */
const SECOND_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400];
const HEIGHT = 240;
const HEIGHT_ON_PHONE = 200;
const PHONE_WIDTH = 500;
/** Up to this number of places each one has a dot. */
const MAX_DOTS = 31;

const toColumn = (values: Values): (number | null)[] => [...values];

/** The places that {@link Chart} draws lines through; those of bars are centred at theirs. */
function dataOf({ xs, now, partial, before }: ChartModel): uPlot.AlignedData {
  const nothing = xs.map(() => null);
  return [[...xs], before ? toColumn(before) : nothing, toColumn(now), toColumn(partial)];
}

/**
 * A chart for the eye, the pointer, the keyboard and screen readers. For these it is a slider along its places: the arrow keys, Home, End
 * and the page keys move a cursor, and the text of the slider tells what is there.
 */
export class Chart {
  readonly element: HTMLElement;
  private readonly tip = el("div", { class: "tip", hidden: "" });
  private readonly canvas = el("div", { class: "plot" });
  private plot: uPlot | undefined;
  private model: ChartModel | undefined;
  private index: number | undefined;
  private shape = "";

  constructor() {
    this.element = el(
      "div",
      { class: "chart", hidden: "", role: "slider", tabindex: "0", "aria-valuemin": "0" },
      this.canvas,
      this.tip,
    );
    this.element.addEventListener("keydown", (event) => this.onKey(event));
    this.element.addEventListener("blur", () => this.moveTo(undefined));
    new ResizeObserver(() => this.resize()).observe(this.element);
  }

  /** Shows other numbers. @param label what the chart shows, for screen readers */
  show(label: string, model: ChartModel): void {
    const palette = readPalette();
    // Where only numbers have changed, the cursor stays.
    const shape = JSON.stringify([
      model.kind,
      model.unit,
      model.xs.length,
      model.xs[0],
      model.before !== undefined,
      palette,
    ]);
    this.model = model;
    this.element.hidden = false;
    this.element.setAttribute("aria-label", label);
    this.element.setAttribute("aria-valuemax", String(Math.max(0, model.xs.length - 1)));
    if (this.plot && shape === this.shape) this.plot.setData(dataOf(model));
    else {
      this.shape = shape;
      this.index = undefined;
      this.plot?.destroy();
      this.plot = new uPlot(this.options(model, palette), dataOf(model), this.canvas);
    }
    this.announce();
  }

  private get size(): { readonly width: number; readonly height: number } {
    const width = Math.max(120, this.element.clientWidth);
    return { width, height: width < PHONE_WIDTH ? HEIGHT_ON_PHONE : HEIGHT };
  }

  private resize(): void {
    const { width, height } = this.size;
    if (this.plot && (this.plot.width !== width || this.plot.height !== height)) this.plot.setSize({ width, height });
  }

  private options(model: ChartModel, palette: Palette): uPlot.Options {
    const isBars = model.kind === "hours";
    const axis = {
      stroke: palette.axis,
      font: palette.font,
      grid: { stroke: palette.grid, width: 1 },
      ticks: { show: false },
    };
    const bars = uPlot.paths.bars?.({ size: [0.7, 40], radius: 0.15 });
    const line = uPlot.paths.linear?.();
    const dots = { show: !isBars && model.xs.length <= MAX_DOTS, size: 5 };
    const own = {
      stroke: palette.line,
      width: 2,
      points: { ...dots, fill: palette.line },
      paths: isBars ? bars : line,
    };
    return {
      ...this.size,
      padding: [12, 24, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
      tzDate: (sec) => uPlot.tzDate(new Date(sec * 1000), "Etc/UTC"),
      scales: {
        x: isBars ? { time: false, range: (_, min, max) => [min - 0.6, max + 0.6] } : { time: true, range: dayRange },
        y: { range: (_, _min, max) => [0, Math.max(1, max) * 1.08] },
      },
      axes: [
        {
          ...axis,
          grid: { show: false },
          size: 26,
          space: isBars ? 44 : 68,
          incrs: isBars ? [1, 2, 3, 6, 12] : DAY_STEPS,
          values: (_, splits, _axis, _space, step) => splits.map((x) => this.model?.labelX(x, step) ?? ""),
        },
        {
          ...axis,
          size: 56,
          incrs: model.unit === "seconds" ? SECOND_STEPS : COUNT_STEPS,
          values: (_, splits) => splits.map((value) => this.model?.labelY(value) ?? ""),
        },
      ],
      series: [
        {},
        {
          ...{ stroke: palette.before, width: 1.5, points: { show: false } },
          ...(isBars
            ? { fill: palette.beforeFill, width: 0, paths: uPlot.paths.bars?.({ size: [0.95, 60] }) }
            : { paths: line }),
        },
        { ...own, fill: isBars ? palette.line : palette.fill },
        { ...own, fill: palette.fill, ...(isBars ? { width: 1.5 } : {}), dash: [5, 4] },
      ],
      hooks: { setCursor: [(plot) => this.onPointer(plot)] },
    };
  }

  private onPointer({ cursor }: uPlot): void {
    // The keyboard moves the cursor, too.
    if (cursor.idx === this.index || (cursor.left ?? -1) < 0) return;
    this.index = cursor.idx ?? undefined;
    this.announce();
    this.showTip();
  }

  private onKey(event: KeyboardEvent): void {
    const last = (this.model?.xs.length ?? 0) - 1;
    const at = this.index ?? last + 1;
    const page = Math.max(2, Math.round(last / 10));
    const moves: Readonly<Record<string, number>> = {
      ArrowLeft: at - 1,
      ArrowDown: at - 1,
      ArrowRight: at + 1,
      ArrowUp: at + 1,
      PageDown: at - page,
      PageUp: at + page,
      Home: 0,
      End: last,
    };
    if (event.key === "Escape") this.moveTo(undefined);
    const target = moves[event.key];
    if (target === undefined || last < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.moveTo(Math.min(last, Math.max(0, target)));
  }

  private moveTo(index: number | undefined): void {
    this.index = index;
    const { plot, model } = this;
    if (!plot || !model) return;
    const x = index === undefined ? undefined : model.xs[index];
    plot.setCursor(x === undefined ? { left: -10, top: -10 } : { left: plot.valToPos(x, "x"), top: 0 }, false);
    this.announce();
    this.showTip();
  }

  /** The slider's value: the place of the cursor, by default the last one. */
  private announce(): void {
    const { model } = this;
    if (!model) return;
    const index = this.index ?? Math.max(0, model.xs.length - 1);
    this.element.setAttribute("aria-valuenow", String(index));
    this.element.setAttribute(
      "aria-valuetext",
      model.xs.length === 0 ? "no numbers" : model.describe(index).join(", "),
    );
  }

  private showTip(): void {
    const { plot, model, index, tip } = this;
    const x = index === undefined ? undefined : model?.xs[index];
    tip.hidden = x === undefined;
    if (!plot || !model || index === undefined || x === undefined) return;
    tip.replaceChildren(...model.describe(index).map((line, i) => el(i === 0 ? "strong" : "span", {}, line)));
    const left = plot.over.offsetLeft + plot.valToPos(x, "x");
    const isRight = left > this.element.clientWidth / 2;
    tip.style.left = isRight ? "auto" : `${left + 12}px`;
    tip.style.right = isRight ? `${this.element.clientWidth - left + 12}px` : "auto";
  }
}

/** One day has the width of a day. */
function dayRange(_: uPlot, min: number, max: number): [number, number] {
  return min === max ? [min - DAY_SEC, max + DAY_SEC] : [min, max];
}
