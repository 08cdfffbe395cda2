import { DAY_MS } from "@eventlogger/events/day";
import { ALL, REFRESH } from "./dimensions";
import { addRefreshRowsSql, mergeDailySql, mergeHourlySql } from "./mergeSql";
import { dailyOf, generationsOf, hourlyOf, type RefreshedDays, type RefreshScope } from "./scope";
import { addActivitySql, touchedByLinksSql, touchedByRowsSql } from "./touchedSql";

export interface RefreshScript {
  readonly project: string;
  readonly dataset: string;
  readonly dimensions: readonly string[];
  /** As of `refreshBreakdowns`; ms. */
  readonly lookBackMs: number;
  /** Retention of the rows of `events`, ms; undefined: they are never deleted. */
  readonly retentionMs: number | undefined;
}

/** Days between the partition that is deleted next and the first day of events that is complete in every zone, with a day in reserve. */
const RESERVE_DAYS = 4;

const VARIABLES = `
DECLARE refresh_generation, refresh_gap_ms, refresh_last_ms INT64;
DECLARE refresh_zone STRING;
DECLARE refresh_counts_bots, refresh_all BOOL;
DECLARE refresh_started TIMESTAMP;
DECLARE refresh_since, refresh_first_day, refresh_received_since DATE;
DECLARE refresh_sources, refresh_linked ARRAY<STRUCT<date DATE, source_rows STRING>>;
DECLARE refresh_days, refresh_utc_days ARRAY<DATE>;`;

/** Sets the variables of the days from `refresh_sources`. */
const SET_DAYS = `
SET refresh_days = ARRAY(SELECT one.date FROM UNNEST(refresh_sources) AS one);
SET refresh_utc_days = ARRAY(SELECT DISTINCT DATE_ADD(day, INTERVAL ahead DAY) FROM UNNEST(refresh_days) AS day, UNNEST([-1, 0, 1]) AS ahead);
SET refresh_received_since = (SELECT IFNULL(DATE_SUB(MIN(day), INTERVAL 2 DAY), DATE '9999-12-31') FROM UNNEST(refresh_days) AS day);`;

/**
 * The script of a scheduled query that does what `refreshBreakdowns` does, with the same statements: for each generation that is not retired,
 * the days that were touched since the last refresh. One statement computes all of them.
 */
export function refreshScript({ project, dataset, dimensions, lookBackMs, retentionMs }: RefreshScript): string {
  const scope: RefreshScope = {
    ...{ project, dataset, dimensions },
    generation: "refresh_generation",
    timeZone: "refresh_zone",
    gapMs: "refresh_gap_ms",
    countBots: "refresh_counts_bots",
    startedAt: "refresh_started",
    since: "refresh_since",
    all: "refresh_all",
  };
  const days: RefreshedDays = {
    sources: "refresh_sources",
    isDay: (date) => `${date} IN UNNEST(refresh_days)`,
    isUtcDay: (date) => `${date} IN UNNEST(refresh_utc_days)`,
    receivedSince: "refresh_received_since",
  };
  const list = `'${dimensions.join(",")}'`;
  const row = { dimensionList: list, refreshedAt: "refresh_started" };
  const state = (table: string): string => `
    SELECT MAX(UNIX_MILLIS(refreshed_at)) AS ms, LOGICAL_OR(value = ${list}) AS is_same
    FROM ${table} WHERE generation = refresh_generation AND dimension = '${REFRESH}'`;
  const states = `${state(dailyOf(scope))} UNION ALL ${state(hourlyOf(scope))}`;
  const firstDay =
    retentionMs === undefined
      ? "DATE '0001-01-01'"
      : `DATE_ADD(DATE(TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL ${Math.floor(retentionMs / DAY_MS)} DAY)), INTERVAL ${RESERVE_DAYS} DAY)`;
  const statements = [
    `SET refresh_generation = one.generation`,
    `SET refresh_zone = IFNULL(JSON_VALUE(one.settings, '$.timeZone'), 'UTC')`,
    `SET refresh_gap_ms = CAST(JSON_VALUE(one.settings, '$.sessionGapMs') AS INT64)`,
    `SET refresh_counts_bots = IFNULL(JSON_VALUE(one.settings, '$.countBots'), 'false') = 'true'`,
    `SET refresh_started = CURRENT_TIMESTAMP()`,
    ...addRefreshRowsSql(scope),
    `SET refresh_last_ms = (SELECT MIN(ms) FROM (${states}))`,
    `SET refresh_all = (SELECT MIN(ms) = 0 OR NOT LOGICAL_AND(is_same) FROM (${states}))`,
    `SET refresh_since = IF(refresh_all, DATE '0001-01-01', DATE(TIMESTAMP_MILLIS(refresh_last_ms - ${lookBackMs})))`,
    `SET refresh_first_day = ${firstDay}`,
    `SET refresh_sources = ARRAY(SELECT AS STRUCT found.date, found.source_rows FROM (${touchedByRowsSql(scope)}) AS found)`,
    SET_DAYS.trim().replace(/;$/, ""),
    addActivitySql(scope, days),
    `SET refresh_linked = ARRAY(SELECT AS STRUCT found.date, found.source_rows FROM (${touchedByLinksSql(scope)}) AS found)`,
    `SET refresh_sources = ARRAY(
  SELECT AS STRUCT all_days.date, all_days.source_rows
  FROM (
    SELECT one.date, one.source_rows FROM UNNEST(refresh_sources) AS one
    UNION ALL
    SELECT one.date, one.source_rows FROM UNNEST(refresh_linked) AS one WHERE one.date NOT IN UNNEST(refresh_days)
  ) AS all_days
  WHERE all_days.date >= refresh_first_day)`,
    SET_DAYS.trim().replace(/;$/, ""),
    mergeDailySql(scope, days, row),
    mergeHourlySql(scope, days, row),
  ];
  return `-- Breakdowns (${ALL} and ${dimensions.join(", ")}). Made by \`eventlogger setup --refresh\`, which replaces it.
${VARIABLES.trim()}
FOR one IN (SELECT generation, settings FROM ${generationsOf(scope)} WHERE status IN ('active', 'building')) DO
${statements.map((sql) => `${sql.trim()};`).join("\n")}
END FOR;`;
}
