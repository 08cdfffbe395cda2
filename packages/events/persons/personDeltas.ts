import { MAX_WEEK_OFFSET, type RetentionDelta } from "../totals/retention";
import { dayDelta, type DayDelta, type MutableDelta } from "../totals/totals";
import { firstDay, firstDayAfter, hasDay, lastDayBefore, unionDays, type DaySet } from "../users/activeDays";
import { dayOfMarked, isBotDay, type MarkedDay } from "./markedDay";
import { mondayOf, sundayOf, weekOf } from "./week";

/** Days of weekly and of monthly active persons. */
const WEEKLY_DAYS = 7;
const MONTHLY_DAYS = 30;

/** 9999-12-31, the last date of BigQuery. Changes after it concern no day that any event can have. */
const LAST_DAY = 2_932_896;

/** The days of one person: those with events of people, and those with events of bots. A day can be in both. */
export interface PersonDays {
  human: DaySet;
  bots: DaySet;
}

/** Which days count, and as what. */
export interface CountRules {
  /** Whether days with only events of bots count like those of people. */
  readonly countBots: boolean;
}

/** Changes of counts that persons cause. A day or a week can have several. */
export interface PersonDeltas {
  readonly days: readonly DayDelta[];
  readonly weeks: readonly RetentionDelta[];
}

type WindowField = "weeklyActiveChange" | "monthlyActiveChange";

/** Deltas that are compared with the day of a new change before another one is made. */
const RECENT_DELTAS = 8;

/** Collects the changes of one person. */
export class PersonChange implements PersonDeltas {
  readonly days: MutableDelta[] = [];
  readonly weeks: RetentionDelta[] = [];

  /** @param isAnonymous whether the person is an anonymous id */
  constructor(
    private readonly rules: CountRules,
    private readonly isAnonymous = false,
  ) {}

  /** Whether nothing has changed. */
  get isEmpty(): boolean {
    return this.days.length === 0 && this.weeks.length === 0;
  }

  /**
   * The person gets a day.
   * @param others the days of the person without this one; not changed
   */
  add(others: Readonly<PersonDays>, marked: MarkedDay): void {
    this.change(others, marked, 1);
  }

  /**
   * The person loses a day.
   * @param others the days of the person without this one; not changed
   */
  remove(others: Readonly<PersonDays>, marked: MarkedDay): void {
    this.change(others, marked, -1);
  }

  private change({ human, bots }: Readonly<PersonDays>, marked: MarkedDay, by: 1 | -1): void {
    const { countBots } = this.rules;
    const day = dayOfMarked(marked);
    const isBot = isBotDay(marked);
    const hasOtherMark = hasDay(isBot ? human : bots, day);
    // A day with only events of bots is one of a bot; an event of a person makes it one of a person.
    if (isBot !== hasOtherMark) this.on(day).botUsers += isBot ? by : -by;
    if (countBots ? hasOtherMark : isBot) return;
    this.changeCounted(countBots ? unionDays(human, bots) : human, day, by);
  }

  /** @param others the counted days of the person without this one */
  private changeCounted(others: DaySet, day: number, by: 1 | -1): void {
    const delta = this.on(day);
    delta.activeUsers += by;
    if (this.isAnonymous) delta.anonymousUsers += by;
    const before = lastDayBefore(others, day, day - MONTHLY_DAYS);
    const after = firstDayAfter(others, day, day + MONTHLY_DAYS);
    this.changeWindow("weeklyActiveChange", WEEKLY_DAYS, day, before, after, by);
    this.changeWindow("monthlyActiveChange", MONTHLY_DAYS, day, before, after, by);
    const first = firstDay(others);
    this.changeFirstDay(first, day, by);
    this.changeWeeks(others, first, day, by);
  }

  /**
   * A day makes a person active on it and on the days after it, until the neighbours of the day do.
   * @param before the counted day before, @param after the counted day after; undefined when they are further away
   */
  private changeWindow(
    field: WindowField,
    length: number,
    day: number,
    before: number | undefined,
    after: number | undefined,
    by: number,
  ): void {
    const from = before === undefined ? day : Math.max(day, before + length);
    const to = after === undefined ? day + length : Math.min(day + length, after);
    if (from >= to) return;
    if (from <= LAST_DAY) this.on(from)[field] += by;
    if (to <= LAST_DAY) this.on(to)[field] -= by;
  }

  private changeFirstDay(first: number | undefined, day: number, by: number): void {
    if (first !== undefined && first < day) return;
    this.on(day).newUsers += by;
    if (first !== undefined) this.on(first).newUsers -= by;
  }

  private changeWeeks(others: DaySet, first: number | undefined, day: number, by: number): void {
    const week = weekOf(day);
    if (first === undefined) return this.countWeek(week, week, by);
    const cohort = weekOf(first);
    if (week >= cohort) {
      if (!hasWeek(others, week)) this.countWeek(cohort, week, by);
      return;
    }
    // The first day is in an earlier week: the person belongs to its cohort, with all weeks.
    this.countWeek(week, week, by);
    for (let other = cohort; other <= cohort + MAX_WEEK_OFFSET; other++) {
      if (!hasWeek(others, other)) continue;
      this.countWeek(cohort, other, -by);
      this.countWeek(week, other, by);
    }
  }

  private countWeek(cohort: number, week: number, persons: number): void {
    const weekOffset = week - cohort;
    if (weekOffset > MAX_WEEK_OFFSET) return;
    this.weeks.push({ cohortWeek: mondayOf(cohort), weekOffset, persons });
  }

  /** The delta of a day. */
  private on(day: number): MutableDelta {
    const { days } = this;
    for (let i = days.length - 1; i >= 0 && i >= days.length - RECENT_DELTAS; i--) {
      const known = days[i] as MutableDelta;
      if (known.day === day) return known;
    }
    const delta = dayDelta(day) as MutableDelta;
    days.push(delta);
    return delta;
  }
}

function hasWeek(set: DaySet, week: number): boolean {
  return firstDayAfter(set, mondayOf(week) - 1, sundayOf(week)) !== undefined;
}
