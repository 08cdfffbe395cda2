import type { BigQuery } from "@google-cloud/bigquery";
import { dayToIso } from "@eventlogger/events/day";
import { TimeZone } from "@eventlogger/events/zone/timeZone";
import { ALL, REFRESH } from "@eventlogger/gcp/bigquery/breakdowns/dimensions";

/** Rows in one request. */
const CHUNK = 2000;
const HOUR_MS = 3_600_000;
/** The distance of two days without a row. */
const GAP = 23;

/** The values of each dimension, those with most events first. */
export const VALUES: Readonly<Record<string, readonly string[]>> = {
  event_name: ["page_view", "button_click", "search", "add_to_cart", "signup", "checkout", "login", "share", "video_play", "download", "comment", "invite"], // prettier-ignore
  country: ["DE", "US", "FR", "GB", "NL", "PL", "ES", "IT", "SE", "AT", "CH", "(none)"],
  page: ["/", "/pricing", "/docs/getting-started", "/blog/exact-numbers", "/login", "/account", "/docs/api", "/checkout", "/about", "/jobs", "/imprint", "=1+1"], // prettier-ignore
  platform: ["web", "ios", "android", "server"],
  app: ["shop", "admin"],
};

/** A number of 0 to 1 that looks random and is the same each time. */
function noise(n: number): number {
  const x = Math.sin(n * 12.9898 + 78.233) * 43_758.5453;
  return x - Math.floor(x);
}

/** Made-up persons of a day: growing, with less on weekends. */
function personsOf(day: number, today: number): number {
  const weekday = (day + 3) % 7;
  const part = day === today ? 0.55 : 1;
  return Math.round(
    1800 * Math.exp((day - today) / 420) * (weekday >= 5 ? 0.62 : 1) * (0.92 + 0.16 * noise(day)) * part,
  );
}

export interface NumbersOptions {
  /** Epoch day in the zone. */
  readonly today: number;
  /** Number of days that end today. */
  readonly days: number;
  /** Number of days with breakdowns. */
  readonly breakdownDays: number;
  /** IANA name. */
  readonly timeZone: string;
  /** Whether every 23rd day has no row. @default false */
  readonly hasGaps?: boolean;
  /** The numbers of every day are multiplied with it. @default 1 */
  readonly factor?: number;
}

/**
 * Writes made-up numbers of generation 1 into the tables that readers read: days, retention, breakdowns and hours. They do not come from
 * events.
 */
export async function writeNumbers(bigquery: BigQuery, dataset: string, options: NumbersOptions): Promise<void> {
  const insert = async (table: string, rows: readonly object[]): Promise<void> => {
    for (let i = 0; i < rows.length; i += CHUNK)
      await bigquery
        .dataset(dataset)
        .table(table)
        .insert(rows.slice(i, i + CHUNK));
  };
  await insert("daily_rollup_versions", rollupRows(options));
  await insert("weekly_retention_versions", retentionRows(options));
  await insert("daily_breakdowns", breakdownRows(options));
  await insert("hourly_events", hourRows(options));
}

/** Columns of every row that say when it was written. */
function written(name: "updated_at" | "refreshed_at"): Record<string, string> {
  const now = new Date().toISOString();
  return { [name]: now, written_date: now.slice(0, 10) };
}

function rollupRows({ today, days, hasGaps = false, factor = 1 }: NumbersOptions): object[] {
  const persons = (day: number): number => (day <= today - days ? 0 : personsOf(day, today) * factor);
  const sum = (day: number, n: number): number =>
    Array.from({ length: n }, (_, i) => persons(day - i)).reduce((a, b) => a + b, 0);
  const weekly = (day: number): number => Math.round(sum(day, 7) * 0.42);
  const monthly = (day: number): number => Math.round(sum(day, 30) * 0.2);
  let [lastWeekly, lastMonthly] = [0, 0];
  return Array.from({ length: days }, (_, i) => today - days + 1 + i).flatMap((day) => {
    if (hasGaps && day % GAP === 0) return [];
    const [active, sessions] = [persons(day), Math.round(persons(day) * 1.34)];
    const row = {
      ...{ generation: 1, date: dayToIso(day), version: factor, ...written("updated_at") },
      ...{ active_user_count: active, new_user_count: Math.round(active * (0.11 + 0.04 * noise(day + 9))) },
      ...{ session_count: sessions, session_duration_ms: sessions * Math.round(1000 * (180 + 60 * noise(day + 5))) },
      ...{ anonymous_user_count: 0, bot_session_count: 0, bot_user_count: 0 },
      weekly_active_change: weekly(day) - lastWeekly,
      monthly_active_change: monthly(day) - lastMonthly,
    };
    [lastWeekly, lastMonthly] = [weekly(day), monthly(day)];
    return [row];
  });
}

function retentionRows({ today, days, factor = 1 }: NumbersOptions): object[] {
  const rows: object[] = [];
  // Epoch day 4 is a Monday.
  const lastMonday = today - ((today + 3) % 7);
  for (let week = lastMonday; week > Math.max(today - days, today - 7 * 30); week -= 7) {
    const size = Math.round(900 + 300 * noise(week)) * factor;
    for (let offset = 0; week + 7 * offset <= today; offset++) {
      const share =
        offset === 0 ? 1 : Math.max(0.08, 0.44 * 0.88 ** (offset - 1) * (0.93 + 0.14 * noise(week + offset)));
      const isOver = week + 7 * offset + 6 < today;
      rows.push({
        ...{
          generation: 1,
          cohort_week: dayToIso(week),
          week_offset: offset,
          version: factor,
          ...written("updated_at"),
        },
        person_count: Math.round(size * (offset > 0 && !isOver ? share / 2 : share)),
      });
    }
  }
  return rows;
}

const refreshRow = {
  ...{ generation: 1, date: "1970-01-01", dimension: REFRESH, value: Object.keys(VALUES).join() },
  ...{ events: 0, persons: 0, sessions: 0 },
};

function breakdownRows({ today, breakdownDays, factor = 1 }: NumbersOptions): object[] {
  const rows: object[] = [{ ...refreshRow, rank: 0, persons_below: 0, sessions_below: 0, ...written("refreshed_at") }];
  for (let day = today - breakdownDays + 1; day <= today; day++) {
    const persons = personsOf(day, today) * factor;
    const all = { generation: 1, date: dayToIso(day), ...written("refreshed_at") };
    const [events, sessions] = [persons * 5, Math.round(persons * 1.34)];
    rows.push({
      ...all,
      dimension: ALL,
      value: ALL,
      events,
      persons,
      sessions,
      rank: 1,
      persons_below: 0,
      sessions_below: 0,
    });
    for (const [dimension, values] of Object.entries(VALUES)) {
      let left = events;
      values.forEach((value, i) => {
        const own = i === values.length - 1 ? left : Math.round(left * 0.38);
        left -= own;
        rows.push({
          ...{
            ...all,
            dimension,
            value,
            events: own,
            persons: Math.round(own * 0.21),
            sessions: Math.round(own * 0.3),
          },
          ...{ rank: i + 1, persons_below: Math.round(left * 0.2), sessions_below: Math.round(left * 0.28) },
        });
      });
    }
  }
  return rows;
}

function hourRows({ today, timeZone, factor = 1 }: NumbersOptions): object[] {
  const zone = TimeZone.of(timeZone);
  const rows: object[] = [{ ...refreshRow, hour: new Date(0).toISOString(), ...written("refreshed_at") }];
  const now = Date.now();
  for (let day = today - 2; day <= today; day++) {
    const start = zone.startOfDay(day);
    for (let hour = start; hour < start + zone.lengthOfDay(day) && hour <= now; hour += HOUR_MS) {
      const clock = (hour - start) / HOUR_MS;
      const shape = Math.max(0.06, Math.sin(((clock - 5) / 24) * Math.PI * 1.25));
      const events =
        Math.round(520 * shape * (0.9 + 0.2 * noise(hour / HOUR_MS)) * Math.min(1, (now - hour) / HOUR_MS)) * factor;
      rows.push({
        ...{ generation: 1, date: dayToIso(day), hour: new Date(hour).toISOString(), dimension: ALL, value: ALL },
        ...{
          events,
          persons: Math.round(events * 0.3),
          sessions: Math.round(events * 0.35),
          ...written("refreshed_at"),
        },
      });
    }
  }
  return rows;
}
