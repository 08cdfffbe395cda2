import assert from "node:assert/strict";
import { readFileSync, writeFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Page } from "playwright-core";
import { VALUES, writeNumbers, type NumbersOptions } from "@eventlogger/bench/dashboard/numbers";
import { dayToIso } from "@eventlogger/events/day";
import { TimeZone } from "@eventlogger/events/zone/timeZone";
import { PERSONS_STATE_FORMAT } from "@eventlogger/gcp/bigquery/generations";
import type { ReadReplica } from "@eventlogger/ingest/testing/readReplica";
import { findChromium } from "../client/testing/chromium";
import { accessibilityProblems } from "./testing/accessibility";
import { daysOf, hoursOf, breakdownOf, retentionOf } from "./testing/answers";
import { useDashboard } from "./testing/useDashboard";

const TIME_ZONE = "Asia/Tokyo";
const DAYS = 1100;
/** For numbers that do not change. */
const CACHED = { CACHE_TTL: "1h" };
/** Time between two refreshes of the page, ms. */
const REFRESH_MS = 30_000;

const english = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
const percents = new Intl.NumberFormat("en-GB", {
  style: "percent",
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});
const oneDecimal = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 1 });

(findChromium() ? describe : describe.skip)("the dashboard in a browser (needs Chromium)", () => {
  const dashboard = useDashboard();
  const zone = TimeZone.of(TIME_ZONE);
  const today = (): number => zone.dayOf(Date.now());
  const smallNumbers = (): NumbersOptions => ({
    ...{ today: TimeZone.UTC.dayOf(Date.now()), days: 40, breakdownDays: 2, timeZone: "UTC" },
  });
  let dataset: string;
  /** A dataset whose numbers change. */
  let small: string;
  let replica: ReadReplica;
  let directory: string;
  before(async () => {
    const { warehouse } = dashboard;
    const settings = { sessionGapMs: 1_800_000, stateFormat: PERSONS_STATE_FORMAT, timeZone: TIME_ZONE };
    dataset = await warehouse.datasetWithGeneration(settings);
    const numbers = { today: today(), days: DAYS, breakdownDays: 65, timeZone: TIME_ZONE, hasGaps: true };
    await writeNumbers(warehouse.bigquery, dataset, numbers);
    small = await warehouse.datasetWithGeneration();
    await writeNumbers(warehouse.bigquery, small, smallNumbers());
    // The numbers of this dataset do not change.
    replica = await dashboard.startReplica(dataset, CACHED);
    directory = mkdtempSync(join(tmpdir(), "dashboard-keys-"));
  });
  after(() => rmSync(directory, { recursive: true }));

  const tile = (page: Page, metric: string): Promise<string> =>
    page.locator(`[data-metric="${metric}"] .tile-value`).innerText();
  /** The texts of the cells of a table. */
  const rowsOf = (page: Page, table: string): Promise<string[][]> =>
    page.evaluate<string[][]>(
      `[...document.querySelectorAll("${table} tbody tr")].map((row) => [...row.children].map((cell) => cell.textContent))`,
    );
  /** The changes of a breakdown are read after its values. */
  const untilCompared = (page: Page): Promise<void> => page.locator("#breakdown-1 td.change").first().waitFor();
  /** The numbers of a card as it offers them for download. */
  async function csvOf(page: Page, card: string): Promise<string[][]> {
    const waiting = page.waitForEvent("download");
    await page.locator(`#${card} .card-tools button`, { hasText: "CSV" }).click();
    const download = await waiting;
    assert.match(download.suggestedFilename(), /^[\w-]+\.csv$/);
    const text = readFileSync(await download.path(), "utf8");
    return text.split("\r\n").slice(0, -1).map((line) => line.split(",")); // prettier-ignore
  }

  it("the page shows the numbers of GET /event/ in its tiles, chart and files, with zeros on days without a row", async () => {
    const { page, problems, requests } = await dashboard.open(replica);
    const { from, to } = { from: today() - 29, to: today() };
    const { answer, at } = await daysOf(replica, from - 60, to);
    const days = Array.from({ length: 30 }, (_, i) => from + i);
    const sum = (name: "new_user_count" | "session_count" | "session_duration_ms"): number =>
      days.reduce((total, day) => total + (at(day)?.[name] ?? 0), 0);
    const complete = days.slice(0, -1);
    const mean = complete.reduce((total, day) => total + (at(day)?.active_user_count ?? 0), 0) / complete.length;
    assert.equal(await tile(page, "active"), (mean < 100 ? oneDecimal : english).format(mean));
    assert.equal(await tile(page, "new"), english.format(sum("new_user_count")));
    assert.equal(await tile(page, "sessions"), english.format(sum("session_count")));
    const seconds = Math.round(sum("session_duration_ms") / sum("session_count") / 1000);
    assert.equal(
      await tile(page, "duration"),
      `${Math.floor(seconds / 60)}m ${String(seconds % 60).padStart(2, "0")}s`,
    );
    assert.equal(await tile(page, "total"), english.format(answer.total_users));
    // The newest row until today has the weekly and monthly numbers.
    const newest = at(to) ?? at(to - 1) ?? assert.fail("no row");
    assert.equal(await tile(page, "weekly"), english.format(newest.weekly_active_user_count));
    assert.equal(await tile(page, "monthly"), english.format(newest.monthly_active_user_count));

    const [header, ...rows] = await csvOf(page, "days");
    assert.deepEqual(header?.slice(0, 4), ["date", "is_complete", "active_users", "new_users"]);
    assert.deepEqual(
      rows.map(([date, isComplete, active]) => [date, isComplete, active]),
      days.map((day) => [dayToIso(day), day === to ? "no" : "yes", String(at(day)?.active_user_count ?? 0)]),
    );
    assert.ok(
      days.some((day) => at(day) === undefined),
      "one of the days has no row",
    );
    // The chart tells a screen reader the same, and the arrow keys move along its days.
    const chart = page.locator("#days .chart");
    await chart.focus();
    await page.keyboard.press("Home");
    assert.match((await chart.getAttribute("aria-valuetext")) ?? "", new RegExp(`${dayToIso(from)}, Active users: ${english.format(at(from)?.active_user_count ?? 0)}, .*${dayToIso(from - 30)}`)); // prettier-ignore
    await page.keyboard.press("ArrowRight");
    assert.match((await chart.getAttribute("aria-valuetext")) ?? "", new RegExp(dayToIso(from + 1)));
    assert.equal(
      await page.locator("#days .tip strong").innerText(),
      (await chart.getAttribute("aria-valuetext"))?.split(",")[0],
    );
    await page.keyboard.press("End");
    assert.match((await chart.getAttribute("aria-valuetext")) ?? "", new RegExp(`${dayToIso(to)}, not over yet`));

    assert.deepEqual(problems, [], "nothing violates the security policy");
    assert.ok(
      requests.length > 8 && requests.every((url) => url.startsWith(`${replica.url}/`) || url.startsWith("blob:")),
      requests.join(),
    );
    await dashboard.keepScreenshot(page, "overview-light");
    await dashboard.keepScreenshot(page, "whole-light", true);
  });

  it("changes compare complete days with as many days of the period before", async () => {
    const { page } = await dashboard.open(replica, { query: "?range=7d&metric=sessions" });
    const { at } = await daysOf(replica, today() - 20, today());
    const sum = (from: number, n: number): number =>
      Array.from({ length: n }, (_, i) => at(from + i)?.session_count ?? 0).reduce((a, b) => a + b, 0);
    const ratio = sum(today() - 6, 6) / sum(today() - 13, 6) - 1;
    const text = await page.locator('[data-metric="sessions"] .tile-change').innerText();
    assert.ok(text.includes(percents.format(Math.abs(ratio))), `${text} is ${ratio}`);
    assert.ok(text.startsWith(ratio > 0 ? "▲ +" : "▼ −"), text);
    await page.getByLabel("Compare with the period before").uncheck();
    assert.equal(await page.locator('[data-metric="sessions"] .tile-change').innerText(), "");
    assert.match(page.url(), /compare=off/);
  });

  it("the values of breakdowns are compared with the period before, by complete days and the chosen measure", async () => {
    const { page } = await dashboard.open(replica, { query: "?range=7d&by=country&bars=users" });
    const now = await breakdownOf(replica, "country", today() - 6, today() - 1, 100);
    const before = await breakdownOf(replica, "country", today() - 13, today() - 8, 100);
    const usersOf = ({ values }: typeof now, value: string): number =>
      values.find((numbers) => numbers.value === value)?.person_days ?? 0;
    await untilCompared(page);
    const shown = await rowsOf(page, "#breakdown-1");
    const changed = shown.filter(([, , , , , change]) => /^[+−]\d/.test(change ?? ""));
    assert.ok(changed.length >= 5, JSON.stringify(shown));
    for (const [value = "", , , , , change = ""] of changed) {
      const ratio = usersOf(now, value) / usersOf(before, value) - 1;
      assert.ok(change.includes(percents.format(Math.abs(ratio))), `${value}: ${change} is ${ratio}`);
      assert.equal(change.startsWith("+"), ratio >= 0, `${value}: ${change} is ${ratio}`);
    }
    const [, ...file] = await csvOf(page, "breakdown-1");
    for (const [value = "", , , , complete, earlier] of file.filter(([value]) => value !== "(other)")) {
      assert.deepEqual([Number(complete), Number(earlier)], [usersOf(now, value), usersOf(before, value)], value);
    }
    await page.getByLabel("Compare with the period before").uncheck();
    await page.locator("#breakdown-1 .change").first().waitFor({ state: "detached" });
  });

  it("the values of breakdowns of a range that is over are compared by all of its days", async () => {
    const range = `from=${dayToIso(today() - 7)}&to=${dayToIso(today() - 1)}`;
    const { page } = await dashboard.open(replica, { query: `?${range}&by=country` });
    const before = await breakdownOf(replica, "country", today() - 14, today() - 8, 100);
    await untilCompared(page);
    const eventsBefore = new Map(before.values.map(({ value, events }) => [value, events]));
    const [, ...file] = await csvOf(page, "breakdown-1");
    const values = file.filter(([value]) => value !== "(other)");
    assert.ok(values.length >= 5, JSON.stringify(file));
    for (const [value = "", events, , , complete, earlier] of values) {
      assert.deepEqual([complete, Number(earlier)], [events, eventsBefore.get(value) ?? 0], value);
    }
  });

  it("breakdowns, hours and retention equal the answers of their routes, and their files have the same numbers", async () => {
    const { page } = await dashboard.open(replica, { query: "?by=page&by=country" });
    const { from, to } = { from: today() - 29, to: today() };
    const pages = await breakdownOf(replica, "page", from, to, 10);
    assert.equal(pages.values.length, 10);
    assert.deepEqual(
      (await rowsOf(page, "#breakdown-1")).map((cells) => cells.slice(0, 4)),
      [
        ...pages.values.map(({ value, events, sessions, person_days }) => [value, ...[events, sessions, person_days].map((n) => english.format(n ?? NaN))]), // prettier-ignore
        ["(2 others)", english.format(pages.other.events), "–", "–"],
      ],
    );
    await page.locator("#breakdown-1").getByText("More values").click();
    await page.locator("#breakdown-1").getByText("Fewer values").waitFor();
    await untilCompared(page);
    const file = await csvOf(page, "breakdown-1");
    assert.deepEqual(file[0], ["page", "events", "sessions", "user_days", "events_complete_days", "events_before"]);
    assert.ok(
      file.some(([value]) => value === "'=1+1"),
      "a value is no formula",
    );
    assert.equal(file.length, 1 + (VALUES["page"]?.length ?? 0));
    // Another dimension takes the place.
    await page.locator("#breakdown-2 select").selectOption("platform");
    await page.locator("#breakdown-2").getByText("android").waitFor();
    assert.match(page.url(), /by=page&by=platform/);

    const hours = await hoursOf(replica, to);
    assert.equal(hours.hours.length, 24);
    const [, ...hourRows] = await csvOf(page, "hours");
    const begun = hours.hours.filter(({ hour }) => Date.parse(hour) < Date.now() - 3_600_000);
    assert.deepEqual(
      hourRows.slice(0, begun.length).map((cells) => [cells[0], Number(cells[2]), Number(cells[3]), Number(cells[4])]),
      begun.map(({ hour, events, sessions, persons }) => [hour, events, sessions, persons]),
    );

    const { cohorts } = await retentionOf(replica, to - 12 * 7 + 1, to);
    const grid = await rowsOf(page, "#retention");
    assert.deepEqual(grid.map(([week, size]) => [week, size]), cohorts.map(({ week, size }) => [week, english.format(size)])); // prettier-ignore
    const [first] = cohorts;
    assert.equal(grid[0]?.[3], percents.format((first?.retained[1] ?? 0) / (first?.size ?? 1)));
  });

  it("one day shows its hours and distinct users, and the link of a view opens the same view", async () => {
    const { page } = await dashboard.open(replica);
    await page.locator(".together select").selectOption("yesterday");
    await page.locator("#hours h2", { hasText: dayToIso(today() - 1) }).waitFor();
    await page.locator("#breakdown-1 thead", { hasText: "Users" }).waitFor();
    assert.equal(await page.locator("#days").isVisible(), false);
    const answer = await breakdownOf(replica, "event_name", today() - 1, today() - 1, 10);
    const users = page.locator("#breakdown-1 tbody tr").first().locator("td").nth(2);
    await users.filter({ hasText: english.format(answer.values[0]?.persons ?? NaN) }).waitFor();
    await page.getByRole("button", { name: "Sessions" }).click();
    assert.match(page.url(), /\?range=yesterday&metric=sessions$/);
    const numbers = await page.locator(".tile-value").allInnerTexts();
    const link = await dashboard.open(replica, { query: new URL(page.url()).search });
    await link.page.locator("#hours h2", { hasText: dayToIso(today() - 1) }).waitFor();
    assert.deepEqual(await link.page.locator(".tile-value").allInnerTexts(), numbers);
    // Back is the view before.
    await page.goBack();
    await page.goBack();
    await page.locator(".range-text", { hasText: dayToIso(today() - 29) }).waitFor();
    await dashboard.keepScreenshot(link.page, "one-day");
  });

  it("1,000 days with the 1,000 days before them are shown, each with its number", async () => {
    const { page, problems } = await dashboard.open(replica, { query: "?range=1000d&metric=monthly" });
    const rows = (await csvOf(page, "days")).slice(1);
    assert.equal(rows.length, 1000);
    assert.deepEqual([rows[0]?.[0], rows[999]?.[0]], [dayToIso(today() - 999), dayToIso(today())]);
    const { at } = await daysOf(replica, today() - 999, today());
    for (const i of [0, 500, 998]) {
      const row = at(today() - 999 + i) ?? at(today() - 1000 + i);
      assert.equal(rows[i]?.[5], String(row?.monthly_active_user_count), `day ${i}`);
    }
    // The first days of all are 1,100 days ago: before them there is nothing.
    assert.equal(rows[0]?.[9], "0");
    assert.deepEqual(problems, []);
    await dashboard.keepScreenshot(page, "1000-days");
  });

  it("the page has no accessibility problems that axe finds, in light and dark, with tables, menu and dialog open", async () => {
    for (const colorScheme of ["light", "dark"] as const) {
      const { page } = await dashboard.open(replica, { context: { colorScheme } });
      await page.locator("#days summary").click();
      await page.locator("#hours summary").click();
      await page.locator(".meanings summary").click();
      await page.locator(".settings summary").click();
      // The colours are what differs.
      const rules = colorScheme === "light" ? undefined : ["color-contrast"];
      assert.deepEqual(await accessibilityProblems(page, "html", rules), [], colorScheme);
      await page.keyboard.press("Escape");
      assert.equal(await page.locator(".menu").isVisible(), false);
      await dashboard.keepScreenshot(page, `whole-${colorScheme}-open`, true);
    }
  });

  it("on a phone nothing is wider than the page, and dates and colours are as the reader has chosen", async () => {
    const { page } = await dashboard.open(replica, {
      context: { viewport: { width: 360, height: 780 }, hasTouch: true, isMobile: true },
    });
    assert.equal(await page.evaluate("document.documentElement.scrollWidth"), 360);
    await dashboard.keepScreenshot(page, "phone", true);
    await page.locator(".settings summary").click();
    await page.getByLabel("Dates").selectOption("local");
    await page.getByLabel("Colours").selectOption("dark");
    const month = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", month: "short" }).format(
      new Date(today() * 86_400_000),
    );
    await page.locator(".range-text", { hasText: month }).waitFor();
    await page.reload();
    await page.locator(".range-text", { hasText: month }).waitFor();
    const background = await page.evaluate("getComputedStyle(document.body).backgroundColor");
    assert.match(String(background), /^rgb\((\d|[1-4]\d), /, "a dark page");
  });

  it("the page can be used with the keyboard alone", async () => {
    const { page } = await dashboard.open(replica);
    const focused = (): Promise<string> =>
      page.evaluate("document.activeElement.textContent.trim().slice(0, 24) || document.activeElement.ariaLabel || ''");
    await page.keyboard.press("Tab");
    assert.equal(await focused(), "Skip to the numbers");
    const seen = new Set<string>();
    for (let i = 0; i < 40; i++) {
      await page.keyboard.press("Tab");
      seen.add(await focused());
    }
    for (const name of ["Settings", "New users", "CSV", "Numbers as a table"]) {
      assert.ok(
        [...seen].some((text) => text.startsWith(name)),
        `${name} in ${[...seen].join("|")}`,
      );
    }
    assert.ok(
      [...seen].some((text) => text.includes("Active users by day")),
      [...seen].join("|"),
    );
    await page.getByRole("button", { name: "New users" }).focus();
    await page.keyboard.press("Enter");
    await page.locator("#days h2", { hasText: "New users by day" }).waitFor();
  });

  it("the page asks for the read key once, keeps it for the tab, and tells when a key is not valid", async () => {
    const file = join(directory, "read-keys");
    writeFileSync(file, JSON.stringify({ analyst: "a-read-key-of-24-letters" }));
    const locked = await dashboard.startReplica(dataset, { READ_KEYS_FILE: file, ...CACHED });
    const { page, requests } = await dashboard.open(locked, { showsNumbers: false });
    const input = page.locator("#read-key");
    await input.waitFor();
    assert.deepEqual(await accessibilityProblems(page, "dialog"), []);
    await dashboard.keepScreenshot(page, "key");
    await input.fill("not the key");
    await page.keyboard.press("Enter");
    await page.getByText("This read key is not valid").waitFor();
    await input.fill("a-read-key-of-24-letters");
    await page.keyboard.press("Enter");
    await page.locator("dialog").waitFor({ state: "hidden" });
    await page.locator("#retention .card-body > *").waitFor();
    await page.reload();
    await page.locator("#retention .card-body > *").waitFor();
    assert.equal(await page.locator("dialog").isVisible(), false);
    assert.ok(
      requests.every((url) => !url.includes("read-key")),
      "the key is in no URL",
    );
    // Another tab has its own session.
    const other = await page.context().newPage();
    await other.goto(`${locked.url}/dashboard/`);
    await other.locator("#read-key").waitFor();
    await page.locator(".settings summary").click();
    await page.getByText("Forget the read key").click();
    await page.locator("#read-key").waitFor();
  });

  it("while BigQuery does not answer or no replica does, the page keeps its numbers, tells what is wrong, and recovers by itself", async () => {
    const impatient = await dashboard.startReplica(small, { QUERY_TIMEOUT: "12s" });
    const { page } = await dashboard.open(impatient, { prepare: (context) => context.clock.install() });
    const shown = await page.locator(".tile-value").allInnerTexts();
    const { emulator } = dashboard.warehouse;
    process.kill(emulator.process.pid, "SIGSTOP");
    try {
      await page.clock.fastForward(REFRESH_MS);
      await page.locator(".banner", { hasText: "BigQuery is unavailable; retry (503)" }).waitFor({ timeout: 60_000 });
      assert.match(
        await page.locator(".banner").innerText(),
        /The page shows the numbers of \d\d:\d\d:\d\d \(UTC\)\. Next attempt in \d+ seconds\./,
      );
      assert.deepEqual(await page.locator(".tile-value").allInnerTexts(), shown);
      assert.deepEqual(await accessibilityProblems(page, ".banner"), []);
      await dashboard.keepScreenshot(page, "problem");
    } finally {
      process.kill(emulator.process.pid, "SIGCONT");
    }
    await page.getByText("Try again").click();
    await page.locator(".banner").waitFor({ state: "hidden", timeout: 60_000 });
    await impatient.process.stop();
    await page.clock.fastForward(REFRESH_MS);
    await page.locator(".banner", { hasText: "The service cannot be reached" }).waitFor({ timeout: 30_000 });
    await dashboard.startReplica(small, {}, Number(new URL(impatient.url).port));
    await page.clock.fastForward(REFRESH_MS);
    await page.locator(".banner").waitFor({ state: "hidden", timeout: 60_000 });
  });

  it("the numbers change by themselves when the service has newer ones", async () => {
    const { page } = await dashboard.open(await dashboard.startReplica(small), {
      prepare: (context) => context.clock.install(),
    });
    const before = Number((await tile(page, "total")).replaceAll(",", ""));
    const asOf = await page.locator(".status").innerText();
    assert.match(asOf, /^As of \d\d:\d\d:\d\d \(UTC\)/);
    await writeNumbers(dashboard.warehouse.bigquery, small, { ...smallNumbers(), factor: 3 });
    await page.clock.fastForward(REFRESH_MS);
    await page.locator('[data-metric="total"] .tile-value', { hasNotText: english.format(before) }).waitFor();
    const after = Number((await tile(page, "total")).replaceAll(",", ""));
    assert.ok(Math.abs(after / before - 3) < 0.01, `${before} ${after}`);
    assert.notEqual(await page.locator(".status").innerText(), asOf);
  });

  it("before the first event and before the first start of the pipeline, the page tells what to do", async () => {
    const { warehouse } = dashboard;
    const empty = await dashboard.startReplica(await warehouse.datasetWithGeneration(), CACHED);
    const { page, problems } = await dashboard.open(empty, { showsNumbers: false });
    await page.getByText("No event was counted yet").waitFor();
    assert.match(await page.locator(".banner code").innerText(), new RegExp(`^curl ${empty.url}/event/ -H`));
    assert.deepEqual(await page.locator(".tile-value").allInnerTexts(), ["0", "0", "0", "0", "0", "–", "0"]);
    await page.locator("#retention .empty").waitFor();
    await dashboard.keepScreenshot(page, "empty");
    const unborn = await dashboard.startReplica(await warehouse.freshDataset(), CACHED);
    const other = await dashboard.open(unborn, { showsNumbers: false });
    await other.page.getByText("the pipeline has not started").waitFor();
    await sleep(500);
    assert.deepEqual([...problems, ...other.problems], []);
  });

  it("values of events are texts, whatever they contain", async () => {
    const { page, problems } = await dashboard.open(replica, {
      query: "?by=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E&from=x&metric=%00",
    });
    assert.equal(await page.locator("img").count(), 0);
    assert.deepEqual(problems, []);
  });
});
