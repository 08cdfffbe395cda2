import assert from "node:assert/strict";
import type { BreakdownAnswer } from "../getBreakdowns";
import type { EventStatistics } from "../getEvent";
import type { HoursAnswer } from "../getHours";
import { useAppServer } from "../../testing/appServer";
import { errorsOf } from "../../testing/requests";

const RANGE = "from=2022-01-01&to=2024-05-17";
const DAILY_CSV =
  "date,average_session_duration_min,average_session_duration_sec,active_user_count,new_user_count,session_count," +
  "weekly_active_user_count,monthly_active_user_count,anonymous_user_count,bot_user_count,bot_session_count,updated_at\r\n" +
  "2024-05-16,0,0,3,1,6,7,8,1,2,3,2024-05-16T23:00:00.000Z\r\n" +
  "2024-05-17,1.02,61,2,2,7,8,9,2,3,4,2024-05-17T23:00:00.000Z\r\n";

describe("the format of an answer", () => {
  const serve = useAppServer();

  it("GET /event/?format=csv answers with a CSV file of the days of the range, with ISO dates", async () => {
    const { url } = await serve();
    for (const query of [`${RANGE}&format=csv`, `format=csv&date_format=iso&${RANGE}`]) {
      const response = await fetch(`${url}/event/?${query}`);
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("content-type"), "text/csv; charset=utf-8; header=present");
      assert.equal(
        response.headers.get("content-disposition"),
        'attachment; filename="daily-rollups_2022-01-01_2024-05-17.csv"',
      );
      assert.deepEqual([response.headers.get("vary"), response.headers.get("cache-control")], ["Accept", "no-cache"]);
      assert.equal(await response.text(), DAILY_CSV);
    }
    const empty = await fetch(`${url}/event/?from=2021-01-01&to=2021-12-31&format=csv`);
    assert.equal(await empty.text(), `${DAILY_CSV.split("\r\n")[0]}\r\n`);
  });

  it("GET /retention/?format=csv answers with a row for each cohort and week", async () => {
    const { url } = await serve();
    const response = await fetch(`${url}/retention/?from=2024-05-06&to=2024-05-13&format=csv`);
    const rows = ["2024-05-06,5,0,5", "2024-05-06,5,1,0", "2024-05-06,5,2,2", "2024-05-13,3,0,3"];
    assert.equal(await response.text(), ["cohort_week,cohort_size,week_offset,person_count", ...rows, ""].join("\r\n"));
    assert.match(
      response.headers.get("content-disposition") ?? "",
      /filename="weekly-retention_2024-05-06_2024-05-13.csv"/,
    );
  });

  it("GET /breakdowns/?format=csv answers with a row for each value and one for all others, GET /hours/?format=csv with one for each hour", async () => {
    const { url } = await serve();
    const json = (await (await fetch(`${url}/breakdowns/?dimension=country&limit=1`)).json()) as BreakdownAnswer;
    const csv = await fetch(`${url}/breakdowns/?dimension=country&limit=1&format=csv`);
    const other = json.other.value_count > 0 ? [{ ...json.other, value: "(other)" }] : [];
    assert.equal(
      await csv.text(),
      ["value,events,sessions,person_days,persons"]
        .concat([...json.values, ...other].map((n) => [n.value, n.events, n.sessions, n.person_days, n.persons].join()))
        .map((line) => `${line}\r\n`)
        .join(""),
    );
    assert.match(
      csv.headers.get("content-disposition") ?? "",
      /filename="country_\d{4}-\d{2}-\d{2}_\d{4}-\d{2}-\d{2}\.csv"/,
    );
    const day = (await (await fetch(`${url}/hours/`)).json()) as HoursAnswer;
    const hours = await fetch(`${url}/hours/`, { headers: { accept: "text/csv" } });
    assert.ok(day.hours.length > 0);
    const lines = day.hours.map((n) => `${n.hour},${n.events},${n.persons},${n.sessions}\r\n`);
    assert.equal(await hours.text(), `hour,events,persons,sessions\r\n${lines.join("")}`);
  });

  const preferences: [accept: string, query: string, type: string][] = [
    ["text/csv", "", "text/csv"],
    ["text/csv, application/json;q=0.9", "", "text/csv"],
    ["text/csv;q=0.5, application/json;q=0.6", "", "application/json"],
    ["application/json;q=0.2, text/csv;q=0.3, */*;q=0.1", "", "text/csv"],
    ["text/csv;q=0, */*", "", "application/json"],
    ["application/json;q=0, */*", "", "text/csv"],
    ["TEXT/CSV; header=present", "", "text/csv"],
    ["text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", "", "application/json"],
    ["application/json; charset=utf-8, text/csv", "", "application/json"],
    ["text/csv, application/json", "", "text/csv"],
    ["*/*", "", "application/json"],
    ["image/png", "", "application/json"],
    ["not a type;;q=x", "", "application/json"],
    ["application/json", "&format=csv", "text/csv"],
    ["text/csv", "&format=json", "application/json"],
  ];
  for (const [accept, query, type] of preferences) {
    it(`GET /event/ answers ${type} to Accept: ${accept}${query && ` with ${query.slice(1)}`}`, async () => {
      const { url } = await serve();
      const response = await fetch(`${url}/event/?${RANGE}${query}`, { headers: { accept } });
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("content-type")?.split(";")[0], type);
      assert.equal(response.headers.get("vary"), "Accept");
    });
  }

  it("GET /event/ has dates as dd/mm/yyyy by default and with date_format=dmy, and as YYYY-MM-DD with date_format=iso", async () => {
    const { url } = await serve();
    const dates = async (query: string): Promise<string[]> => {
      const body = (await (await fetch(`${url}/event/?${RANGE}${query}`)).json()) as EventStatistics;
      return body.daily_stats.map(({ date }) => date);
    };
    assert.deepEqual(await dates(""), ["16/05/2024", "17/05/2024"]);
    assert.deepEqual(await dates("&date_format=dmy"), ["16/05/2024", "17/05/2024"]);
    assert.deepEqual(await dates("&date_format=iso"), ["2024-05-16", "2024-05-17"]);
  });

  const refused: [path: string, field: string, message: RegExp][] = [
    ["/event/?format=xml", "format", /^must be json or csv, not "xml"$/],
    ["/event/?format=CSV", "format", /not "CSV"/],
    ["/event/?format=csv&format=csv", "format", /must be one value, not 2/],
    ["/event/?date_format=us", "date_format", /^must be dmy or iso, not "us"$/],
    ["/event/?date_format=iso&date_format=iso", "date_format", /must be one value/],
    ["/event/?format=csv&date_format=dmy", "date_format", /^must be iso, because dates in CSV are always YYYY-MM-DD$/],
    [
      "/event/?dateformat=iso",
      "dateformat",
      /^is not a parameter of this path, which has date_format, format, from and to$/,
    ],
    ["/retention/?date_format=iso", "date_format", /^is not a parameter of this path, which has format, from and to$/],
  ];
  for (const [path, field, message] of refused) {
    it(`GET ${path} is refused, as JSON whatever Accept has, and the answer names ${field}`, async () => {
      const { url } = await serve();
      const response = await fetch(url + path, { headers: { accept: "text/csv" } });
      assert.equal(response.status, 400);
      const [error] = await errorsOf(response);
      assert.equal(error?.field, field);
      assert.match(error?.message ?? "", message);
    });
  }
});
