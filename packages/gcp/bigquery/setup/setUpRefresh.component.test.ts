import assert from "node:assert/strict";
import { GoogleApi } from "../../api/googleApi";
import { startFakeGoogle, type FakeGoogle } from "../../testing/fakeGoogle";
import { FakeTransfer } from "../../testing/fakeTransfer";
import { runQuery } from "../query";
import { useBigQueryEmulator } from "../testing/useBigQueryEmulator";
import { setUpRefresh } from "./setUpRefresh";

describe("setUpRefresh", () => {
  const fixture = useBigQueryEmulator();
  const transfer = new FakeTransfer("demo-project");
  let google: FakeGoogle;
  let credentials: string | undefined;

  before(async () => {
    google = await startFakeGoogle([transfer.service]);
    credentials = process.env.GOOGLE_APPLICATION_CREDENTIALS;
    process.env.GOOGLE_APPLICATION_CREDENTIALS = google.env["GOOGLE_APPLICATION_CREDENTIALS"];
  });
  after(async () => {
    if (credentials === undefined) delete process.env.GOOGLE_APPLICATION_CREDENTIALS;
    else process.env.GOOGLE_APPLICATION_CREDENTIALS = credentials;
    await google?.stop();
  });

  it("setUpRefresh creates one scheduled query for each dataset, and updates it when its schedule or dimensions change", async () => {
    const { bigquery } = fixture;
    const [dataset, other] = [await fixture.datasetWithGeneration(), await fixture.datasetWithGeneration()];
    const set = (name: string, schedule: string): ReturnType<typeof setUpRefresh> =>
      setUpRefresh(new GoogleApi("demo-project", []), bigquery, { dataset: name, schedule, endpoint: google.endpoint });
    assert.equal((await set(other, "every 1 hours")).outcome, "created");
    assert.deepEqual(await set(dataset, "every 10 minutes"), {
      ...{ kind: "scheduled query", name: `eventlogger refresh of ${dataset}` },
      ...{ outcome: "created", detail: "every 10 minutes" },
    });
    assert.equal((await set(dataset, "every 10 minutes")).outcome, "exists");
    assert.equal((await set(dataset, "every 15 minutes")).detail, "every 15 minutes");
    const row =
      "1, DATE '1970-01-01', '(refresh)', 'app,properties.plan', 0, 0, 0, 0, 0, 0, CURRENT_TIMESTAMP(), CURRENT_DATE(), NULL, NULL";
    await runQuery(bigquery, `INSERT INTO ${dataset}.daily_breakdowns VALUES (${row})`);
    assert.equal((await set(dataset, "every 15 minutes")).detail, "new query");
    const [first, second, ...more] = transfer.configs;
    assert.deepEqual(more, []);
    assert.deepEqual([first?.schedule, second?.schedule], ["every 1 hours", "every 15 minutes"]);
    assert.match(first?.params.query ?? "", /'event_name,app,country,page,platform'/);
    assert.match(second?.params.query ?? "", /'app,properties\.plan'/);
    await assert.rejects(set(other, "every 1 minutes"), /Cannot update the scheduled query .*Invalid schedule/);
  });
});
