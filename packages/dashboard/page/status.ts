import type { EventAnswer } from "../api/answers";
import type { Formats } from "../numbers/format";
import { button, el } from "./elements";

/** A pipeline that has read all events up to this long ago has caught up, ms. */
const BEHIND_AFTER_MS = 120_000;

/** How fresh the numbers are, and what is wrong. */
export class Status {
  readonly element = el("p", { class: "status" });
  readonly banner = el("div", { class: "banner", role: "alert", hidden: "" });
  private readonly dot = el("span", { class: "dot waiting", "aria-hidden": "true" });
  private readonly text = el("span");

  constructor(private readonly retry: () => void) {
    this.element.append(this.dot, this.text);
    this.text.textContent = "Reading the numbers…";
  }

  /** @param refreshSec time between two refreshes, s; 0 for none */
  showFresh(answer: EventAnswer, formats: Formats, refreshSec: number): void {
    const zone = answer.time_zone ?? "UTC";
    const asOf = formats.time(answer.as_of, zone);
    const { watermark } = answer;
    const lagMs = watermark ? Date.parse(answer.as_of) - Date.parse(watermark) : undefined;
    const isBehind = lagMs !== undefined && lagMs > BEHIND_AFTER_MS;
    const upTo = watermark ? `, complete up to ${formats.moment(watermark, zone, answer.as_of)}` : "";
    const behind = isBehind ? `: the pipeline is ${duration(lagMs)} behind` : "";
    this.text.textContent = `As of ${asOf} (${zone})${upTo}${behind}${refreshSec === 0 ? ", not refreshed by itself" : ""}`;
    this.dot.className = isBehind ? "dot behind" : "dot";
    this.hideBanner();
  }

  /** @param shownAsOf ISO 8601 of the numbers that are still shown */
  showProblem(message: string, shown: EventAnswer | undefined, formats: Formats, retryInMs: number): void {
    this.dot.className = "dot failed";
    const zone = shown?.time_zone ?? "UTC";
    const old = shown ? ` The page shows the numbers of ${formats.time(shown.as_of, zone)} (${zone}).` : "";
    const again = ` Next attempt in ${Math.ceil(retryInMs / 1000)} seconds.`;
    this.text.textContent = shown ? `Not fresh: as of ${formats.time(shown.as_of, zone)} (${zone})` : "No numbers";
    const text = `The numbers cannot be read: ${message.replace(/\.$/, "")}.${old}${again}`;
    if (!this.banner.hidden && this.banner.dataset["message"] === message) {
      // The same problem is not announced again.
      const span = this.banner.querySelector("span");
      if (span) span.textContent = text;
      return;
    }
    this.banner.dataset["message"] = message;
    this.banner.className = "banner problem";
    this.banner.replaceChildren(el("span", {}, text), button({}, "Try again", this.retry));
    this.banner.hidden = false;
  }

  /** Why there are no numbers, where nothing is wrong. */
  showNotice(...content: readonly (Node | string)[]): void {
    this.banner.className = "banner notice";
    this.banner.dataset["message"] = "";
    this.banner.replaceChildren(...content);
    this.banner.hidden = false;
  }

  private hideBanner(): void {
    this.banner.hidden = true;
    this.banner.dataset["message"] = "";
  }
}

function duration(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 120) return `${minutes} minutes`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} hours` : `${Math.floor(hours / 24)} days`;
}
