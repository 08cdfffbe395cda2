/** How the reader wants pages to look. Kept in the browser, and not part of a link. */
export interface Preferences {
  /** `iso` 2026-05-17, `local` as the language of the browser writes dates. */
  readonly dates: "iso" | "local";
  readonly theme: "auto" | "light" | "dark";
  /** Time between two refreshes, s; 0 for none. */
  readonly refreshSec: number;
}

export const DEFAULT_PREFERENCES: Preferences = { dates: "iso", theme: "auto", refreshSec: 30 };
export const REFRESH_CHOICES: readonly number[] = [10, 30, 300, 0];

const NAME = "eventlogger.dashboard";

/** Reads preferences. What is missing or not valid is as by default. */
export function readPreferences(storage: Pick<Storage, "getItem"> | undefined): Preferences {
  let stored: Partial<Record<keyof Preferences, unknown>>;
  try {
    const parsed = JSON.parse(storage?.getItem(NAME) ?? "{}") as unknown;
    stored = typeof parsed === "object" && parsed !== null ? parsed : {};
  } catch {
    stored = {};
  }
  const { dates, theme, refreshSec } = stored;
  return {
    dates: dates === "local" ? "local" : "iso",
    theme: theme === "light" || theme === "dark" ? theme : "auto",
    refreshSec: REFRESH_CHOICES.find((choice) => choice === refreshSec) ?? DEFAULT_PREFERENCES.refreshSec,
  };
}

/** Keeps preferences. Does nothing where the browser refuses storage. */
export function writePreferences(storage: Pick<Storage, "setItem"> | undefined, preferences: Preferences): void {
  try {
    storage?.setItem(NAME, JSON.stringify(preferences));
  } catch {
    // A full or forbidden storage: the choice holds until the page is closed.
  }
}
