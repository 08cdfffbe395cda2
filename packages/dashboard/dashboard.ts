import type { BreakdownAnswer, EventAnswer, HoursAnswer, RetentionAnswer } from "./api/answers";
import type { Api, KeyStore } from "./api/api";
import { ApiProblem } from "./api/problem";
import { BreakdownChanges } from "./numbers/breakdownChanges";
import { CARRY_DAYS, DailySeries } from "./numbers/dailySeries";
import { Formats } from "./numbers/format";
import { BreakdownCard } from "./page/breakdownCard";
import type { Context } from "./page/context";
import { DaysCard } from "./page/daysCard";
import { el } from "./page/elements";
import { HoursCard } from "./page/hoursCard";
import { KeyDialog } from "./page/keyDialog";
import { meanings } from "./page/meanings";
import { RetentionCard } from "./page/retentionCard";
import { Settings } from "./page/settings";
import { Status } from "./page/status";
import { Tiles } from "./page/tiles";
import { Toolbar } from "./page/toolbar";
import { completeDays, lengthOf, moved, periodBefore, periodOf, type Days } from "./view/period";
import { writePreferences, type Preferences } from "./view/preferences";
import { dayIn, zoneOf } from "./view/today";
import { queryOfView, viewFromQuery, type View } from "./view/view";

/** Breakdowns on the page. */
const BREAKDOWNS = 4;
/** Values whose change is known: the largest of both periods. */
const COMPARED_VALUES = 100;
/** Weeks of the retention when the range has fewer. */
const RETENTION_WEEKS = 12;
/** The longest time between two attempts, ms. */
const MAX_RETRY_MS = 60_000;
/** Numbers that change slowly are read again after this time, ms; breakdowns also when the service has computed them anew. */
const SLOW_MS = 300_000;

/** What was read, and for which view. */
interface Numbers {
  event: EventAnswer;
  series: DailySeries;
  hours?: HoursAnswer;
  hoursBefore?: HoursAnswer | undefined;
}

interface Breakdown {
  readonly answer: BreakdownAnswer;
  /** Undefined without comparison, and while no day of the range is over. */
  readonly changes: BreakdownChanges | undefined;
}

export interface DashboardOptions {
  readonly api: Api;
  readonly keys: KeyStore;
  readonly preferences: Preferences;
}

/** The page: reads numbers, shows them, and reads them again. */
export class Dashboard {
  private view: View = viewFromQuery(location.search);
  private preferences: Preferences;
  private readonly api: Api;
  private readonly keys: KeyStore;
  private formats: Formats;

  private numbers: Numbers | undefined;
  private breakdowns: (Breakdown | undefined)[] = [];
  private retention: RetentionAnswer | undefined;
  private today: number;

  /** Grows with each reading: an answer of an older one is not shown. */
  private reading = 0;
  private slowReadAt = -Infinity;
  private failures = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  private readonly status = new Status(() => void this.read("all"));
  private readonly keyDialog = new KeyDialog((key) => this.useKey(key));
  private readonly tiles = new Tiles((change) => this.changeView(change));
  private readonly toolbar = new Toolbar((change) => this.changeView(change));
  private readonly settings: Settings;
  private readonly daysCard = new DaysCard();
  private readonly hoursCard = new HoursCard();
  private readonly retentionCard = new RetentionCard();
  private readonly breakdownCards = Array.from(
    { length: BREAKDOWNS },
    (_, i) =>
      new BreakdownCard(
        `breakdown-${i + 1}`,
        (dimension) => this.chooseDimension(i, dimension),
        () => void this.read("all"),
      ),
  );

  constructor({ api, keys, preferences }: DashboardOptions) {
    this.api = api;
    this.keys = keys;
    this.preferences = preferences;
    this.formats = new Formats(preferences.dates);
    this.today = dayIn(zoneOf(Intl.DateTimeFormat().resolvedOptions().timeZone), new Date().toISOString());
    this.settings = new Settings(
      (change) => this.changePreferences(change),
      () => this.forgetKey(),
    );
  }

  /** Builds the page and begins to read. */
  start(root: HTMLElement): void {
    const head = el("header", {}, el("h1", {}, "eventlogger"), this.status.element, this.settings.element);
    const main = el(
      "main",
      { id: "main", tabindex: "-1" },
      this.status.banner,
      this.toolbar.element,
      this.tiles.element,
      el(
        "div",
        { class: "cards" },
        this.daysCard.element,
        this.hoursCard.element,
        ...this.breakdownCards.map(({ element }) => element),
        this.retentionCard.element,
      ),
    );
    main.append(meanings());
    root.append(el("a", { class: "skip", href: "#main" }, "Skip to the numbers"), head, main, this.keyDialog.element);
    this.applyPreferences();
    this.show();
    window.addEventListener("popstate", () => {
      this.view = viewFromQuery(location.search);
      this.show();
      void this.read("all");
    });
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") void this.read("live");
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.applyPreferences();
      this.show();
    });
    void this.read("all");
  }

  private get context(): Context {
    const { view, formats, today } = this;
    return { view, formats, today, period: periodOf(view.range, today) };
  }

  /** The day whose hours are shown. */
  private get dayOfHours(): number {
    return Math.min(this.context.period.to, this.today);
  }

  private get dimensions(): readonly string[] {
    const known = this.numbers?.hours?.dimensions ?? [];
    const chosen = this.view.dimensions.filter((name) => known.includes(name));
    return [...new Set([...chosen, ...known])].slice(0, BREAKDOWNS);
  }

  private changeView(change: Partial<View>): void {
    const before = this.view;
    this.view = { ...before, ...change };
    history.pushState(null, "", `${location.pathname}${queryOfView(this.view)}`);
    this.show();
    const { range, compare } = this.view;
    if (JSON.stringify(range) !== JSON.stringify(before.range) || compare !== before.compare || change.dimensions)
      void this.read("all");
  }

  private chooseDimension(card: number, dimension: string): void {
    const dimensions = [...this.dimensions];
    const current = dimensions[card];
    const other = dimensions.indexOf(dimension);
    // A dimension that another card shows changes places with this one.
    if (other >= 0 && current !== undefined) dimensions[other] = current;
    dimensions[card] = dimension;
    this.changeView({ dimensions });
  }

  private changePreferences(change: Partial<Preferences>): void {
    this.preferences = { ...this.preferences, ...change };
    writePreferences(storageOf("localStorage"), this.preferences);
    this.applyPreferences();
    this.show();
    this.schedule();
  }

  private applyPreferences(): void {
    const { dates, theme } = this.preferences;
    this.formats = new Formats(dates);
    const systems = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    document.documentElement.dataset["theme"] = theme === "auto" ? systems : theme;
    this.settings.show(this.preferences, this.keys.get() !== undefined);
  }

  private useKey(key: string): void {
    this.keys.set(key);
    void this.read("all");
  }

  private forgetKey(): void {
    this.keys.set(undefined);
    location.reload();
  }

  /** Reads numbers and shows them. @param what `live` leaves out those that change slowly */
  private async read(what: "all" | "live"): Promise<void> {
    clearTimeout(this.timer);
    const reading = ++this.reading;
    const isCurrent = (): boolean => reading === this.reading;
    const readsAll = what === "all" || performance.now() - this.slowReadAt > SLOW_MS;
    try {
      const knewToday = this.numbers !== undefined;
      const period = (): Days => this.context.period;
      // The days first: they tell which day it is where the numbers are counted.
      const days = this.readDays(isCurrent);
      if (!knewToday) await days;
      const before = JSON.stringify(period());
      const hours = this.readHours(isCurrent);
      await Promise.all([
        days,
        hours,
        ...(readsAll ? [this.readRetention(isCurrent), this.readBreakdowns(isCurrent, hours)] : []),
      ]);
      // Midnight has passed.
      if (isCurrent() && JSON.stringify(period()) !== before) return await this.read("all");
      if (!isCurrent()) return;
      this.failures = 0;
      this.schedule();
    } catch (error) {
      if (isCurrent()) this.fail(error);
    }
  }

  private async readDays(isCurrent: () => boolean): Promise<void> {
    const needed = (): Days => {
      const { period } = this.context;
      const first = this.view.compare ? periodBefore(period).from : period.from;
      return { from: first - CARRY_DAYS, to: period.to };
    };
    // One more day at both ends, because today may be another day where the numbers are counted.
    const read = async (): Promise<Days> => {
      const { from, to } = needed();
      const range = { from: from - 1, to: to + 1 };
      const event = await this.api.days(range);
      if (!isCurrent()) return range;
      this.today = dayIn(zoneOf(event.time_zone), event.as_of);
      this.numbers = { ...this.numbers, event, series: new DailySeries(event.daily_stats, range) };
      return range;
    };
    const range = await read();
    // Days are those of the service's clock. The first range is a guess by the clock of the browser, which may be wrong.
    if (isCurrent() && (needed().from < range.from || needed().to > range.to)) await read();
    if (!isCurrent() || !this.numbers) return;
    const { event } = this.numbers;
    if (this.keyDialog.isOpen) this.keyDialog.close();
    this.settings.show(this.preferences, this.keys.get() !== undefined);
    this.showStatus(event);
    this.show();
  }

  private async readHours(isCurrent: () => boolean): Promise<void> {
    const day = this.dayOfHours;
    try {
      const [hours, hoursBefore] = await Promise.all([
        this.api.hours(day),
        this.view.compare ? this.api.hours(day - 1) : undefined,
      ]);
      if (!isCurrent() || !this.numbers) return;
      // Breakdowns are computed together with the hours.
      if (this.numbers.hours && this.numbers.hours.refreshed_at !== hours.refreshed_at) this.slowReadAt = -Infinity;
      this.numbers = { ...this.numbers, hours, hoursBefore };
      this.show();
    } catch (error) {
      if (isCurrent()) this.hoursCard.showProblem(messageOf(error));
      throw error;
    }
  }

  private async readRetention(isCurrent: () => boolean): Promise<void> {
    const { period } = this.context;
    const end = Math.min(period.to, this.today);
    const from = Math.min(period.from, end - 7 * RETENTION_WEEKS + 1);
    try {
      const answer = await this.api.retention({ from: Math.max(from, end - 999), to: end });
      if (!isCurrent()) return;
      this.retention = answer;
      this.show();
    } catch (error) {
      if (isCurrent()) this.retentionCard.showProblem(messageOf(error));
      throw error;
    }
  }

  /** @param hours done when the answer with the hours is there, which tells the dimensions */
  private async readBreakdowns(isCurrent: () => boolean, hours: Promise<void>): Promise<void> {
    const { period } = this.context;
    const readOne = async (i: number, read: (card: BreakdownCard) => Promise<Breakdown>): Promise<void> => {
      const card = this.breakdownCards[i];
      if (!card) return;
      try {
        const breakdown = await read(card);
        if (!isCurrent()) return;
        this.breakdowns[i] = breakdown;
        this.show();
      } catch (error) {
        if (isCurrent()) card.showProblem(messageOf(error));
        throw error;
      }
    };
    await hours;
    if (!isCurrent()) return;
    const { dimensions } = this;
    this.breakdowns.length = dimensions.length;
    const readAnswer = async (card: BreakdownCard, dimension: string): Promise<Breakdown> => ({
      answer: await this.api.breakdown(dimension, period, card.limit),
      changes: undefined,
    });
    await Promise.all(dimensions.map((dimension, i) => readOne(i, (card) => readAnswer(card, dimension))));
    // One after the other: a replica runs eight queries at most, for all of its readers.
    for (const [i, read] of this.breakdowns.entries()) {
      if (!isCurrent()) return;
      if (read) await readOne(i, async () => ({ ...read, changes: await this.readChanges(read.answer) }));
    }
    if (isCurrent()) this.slowReadAt = performance.now();
  }

  /** The complete days of the range, and as many of the period before. @param ofRange the answer for the range */
  private async readChanges(ofRange: BreakdownAnswer): Promise<BreakdownChanges | undefined> {
    const { view, period, today } = this.context;
    const complete = completeDays(period, today);
    if (!view.compare || !complete) return undefined;
    const read = (days: Days): Promise<BreakdownAnswer> => this.api.breakdown(ofRange.dimension, days, COMPARED_VALUES);
    const [now, before] = await Promise.all([
      complete.to === period.to ? ofRange : read(complete),
      read(moved(complete, -lengthOf(period))),
    ]);
    return new BreakdownChanges({ now, before });
  }

  private schedule(afterMs = this.preferences.refreshSec * 1000): void {
    clearTimeout(this.timer);
    if (afterMs <= 0) return;
    this.timer = setTimeout(() => {
      // A hidden page costs nothing. It reads when it is shown again.
      if (document.visibilityState === "visible") void this.read("live");
    }, afterMs);
  }

  private fail(error: unknown): void {
    const problem = error instanceof ApiProblem ? error : new ApiProblem("unreadable", messageOf(error));
    if (problem.kind === "key") {
      const given = this.keys.get();
      this.keys.set(undefined);
      this.keyDialog.ask(given === undefined ? undefined : problem.message);
      return;
    }
    const backoff = Math.min(MAX_RETRY_MS, 2000 * 2 ** this.failures++);
    const retryInMs = Math.max(backoff, problem.retryAfterMs ?? 0);
    this.status.showProblem(problem.message, this.numbers?.event, this.formats, retryInMs);
    // What has failed is read again as a whole.
    this.slowReadAt = -Infinity;
    this.schedule(retryInMs);
  }

  private showStatus(event: EventAnswer): void {
    this.status.showFresh(event, this.formats, this.preferences.refreshSec);
    if (event.generation === null) {
      this.status.showNotice(
        "No numbers yet: the pipeline has not started. The page shows them as soon as there are any.",
      );
    } else if (event.total_users === 0 && event.daily_stats.length === 0) {
      this.status.showNotice(
        el("span", {}, "No event was counted yet. Send the first one:"),
        el("code", {}, exampleCommand()),
      );
    }
  }

  /** Shows what was read, in the current view. */
  private show(): void {
    const { context, numbers } = this;
    this.toolbar.show(context);
    if (!numbers) return;
    const isOneDay = lengthOf(context.period) === 1;
    // A line of one point tells nothing: the hours of the day come first.
    document.documentElement.dataset["days"] = isOneDay ? "one" : "many";
    this.tiles.show(context, numbers.series, numbers.event.total_users);
    this.daysCard.show(context, numbers.series);
    if (numbers.hours) this.hoursCard.show(context, numbers.hours, this.view.compare ? numbers.hoursBefore : undefined);
    this.breakdowns.forEach((read, i) => read && this.breakdownCards[i]?.show(context, read.answer, read.changes));
    this.breakdownCards.forEach((card, i) => {
      card.element.hidden = i > 0 && this.breakdowns[i] === undefined;
    });
    if (numbers.hours?.refreshed_at === null) this.breakdownCards[0]?.showNotComputed();
    if (this.retention) this.retentionCard.show(context, this.retention);
    performance.mark("dashboard-shown");
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function exampleCommand(): string {
  const url = new URL("../event/", location.href.replace(/[?#].*$/, "")).href;
  const event = `{"type":"event","session_id":"s-1","user_id":"u-1","event_name":"signup","event_time":'$(date +%s)'}`;
  return `curl ${url} -H 'Content-Type: application/json' -d '${event}'`;
}

/** A storage of the browser; undefined where the browser refuses it. */
export function storageOf(name: "localStorage" | "sessionStorage"): Storage | undefined {
  try {
    return window[name];
  } catch {
    return undefined;
  }
}
