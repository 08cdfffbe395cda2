import { REFRESH_CHOICES, type Preferences } from "../view/preferences";
import { button, Choice, el } from "./elements";

type ChangePreferences = (change: Partial<Preferences>) => void;

function refreshText(seconds: number): string {
  if (seconds === 0) return "off";
  return seconds < 60 ? `every ${seconds} seconds` : `every ${seconds / 60} minutes`;
}

/** How the page looks, in a menu. */
export class Settings {
  readonly element: HTMLDetailsElement;
  private readonly dates: Choice<Preferences["dates"]>;
  private readonly theme: Choice<Preferences["theme"]>;
  private readonly refresh: Choice<string>;
  private readonly forget: HTMLButtonElement;

  constructor(change: ChangePreferences, forgetKey: () => void) {
    this.dates = new Choice<Preferences["dates"]>(
      "Dates",
      [
        ["iso", "2026-05-17"],
        ["local", "as the browser's language"],
      ],
      (dates) => change({ dates }),
    );
    this.theme = new Choice<Preferences["theme"]>(
      "Colours",
      [
        ["auto", "as the system"],
        ["light", "light"],
        ["dark", "dark"],
      ],
      (theme) => change({ theme }),
    );
    this.refresh = new Choice<string>(
      "Refresh",
      REFRESH_CHOICES.map((seconds) => [String(seconds), refreshText(seconds)] as const),
      (seconds) => change({ refreshSec: Number(seconds) }),
    );
    this.forget = button({ class: "quiet" }, "Forget the read key", forgetKey);
    this.element = el(
      "details",
      { class: "settings" },
      el("summary", {}, "Settings"),
      el("div", { class: "menu" }, this.dates.element, this.theme.element, this.refresh.element, this.forget),
    );
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.element.open) return;
      this.element.open = false;
      this.element.querySelector("summary")?.focus();
    });
    document.addEventListener("click", ({ target }) => {
      if (target instanceof Node && !this.element.contains(target)) this.element.open = false;
    });
  }

  show({ dates, theme, refreshSec }: Preferences, hasKey: boolean): void {
    this.dates.value = dates;
    this.theme.value = theme;
    this.refresh.value = String(refreshSec);
    this.forget.hidden = !hasKey;
  }
}
