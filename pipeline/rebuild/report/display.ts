import { colours, LiveLine, type Output } from "@eventlogger/options/terminal";
import type { RebuildReporter } from "../context";
import { PHASES, type RebuildPhase } from "../record";
import { bar, RateMeter, rowsText } from "./progressText";

/** How often the current work is printed where the output is not a terminal; ms. */
const REPORT_EVERY_MS = 10_000;
const REDRAW_MS = 200;

/** Shows a rebuild: one live line on a terminal, elsewhere a line for each phase and one every ten seconds. */
export class RebuildDisplay implements RebuildReporter {
  private readonly live: LiveLine;
  private readonly isTerminal: boolean;
  private readonly timer: NodeJS.Timeout;
  private readonly meter = new RateMeter();
  private name = "";
  private work = "";
  private counted: { done: number; total: number; rate: number } | undefined;
  private printedAt = performance.now();
  private printed = "";

  constructor(private readonly output: Output) {
    this.live = new LiveLine(output);
    this.isTerminal = output.isTTY === true;
    this.timer = setInterval(() => this.update(), REDRAW_MS);
  }

  phase(phase: RebuildPhase | "aborting"): void {
    const place = PHASES.findIndex((one) => one === phase);
    this.name = place < 0 ? phase : `[${place + 1}/${PHASES.length}] ${phase}`;
    [this.work, this.counted] = ["", undefined];
    this.printedAt = performance.now();
    if (!this.isTerminal) this.print(this.name);
  }

  say(line: string): void {
    this.print(line);
  }

  doing(text: string): void {
    this.work = text;
    this.counted = undefined;
  }

  rows(done: number, total: number): void {
    this.counted = { done, total, rate: this.meter.add(performance.now(), done) };
  }

  /** Removes the live line. */
  close(): void {
    clearInterval(this.timer);
    this.live.clear();
  }

  private update(): void {
    const text = this.text();
    if (this.isTerminal) {
      this.live.draw(() => text);
    } else if (performance.now() - this.printedAt >= REPORT_EVERY_MS && text !== this.printed) {
      this.print(text);
      this.printed = text;
    }
  }

  private text(): string {
    const { counted, work, name } = this;
    const drawn = counted && this.isTerminal ? `${bar(counted.total ? counted.done / counted.total : 1)} ` : "";
    const detail = counted ? `${drawn}${rowsText(counted)}` : work;
    return detail ? `${name}  ${detail}` : name;
  }

  private print(line: string): void {
    this.live.clear();
    const { dim } = colours(this.output);
    this.output.write(line.startsWith("[") ? `${dim(line)}\n` : `${line}\n`);
    this.printedAt = performance.now();
  }
}
