import type { BigQuery } from "@google-cloud/bigquery";
import type { GoogleApi } from "../../api/googleApi";
import { existing, type SetupStep } from "../../setup/setupStep";
import { DEFAULT_DIMENSIONS, REFRESH } from "../breakdowns/dimensions";
import { DEFAULT_LOOK_BACK_MS } from "../breakdowns/refreshBreakdowns";
import { refreshScript } from "../breakdowns/refreshScript";
import { parseDimensionList } from "../breakdowns/refreshState";
import { dailyOf, generationsOf } from "../breakdowns/scope";
import { runQuery } from "../query";
import { eventRetention } from "../retention/eventRetention";
import { eventsTable } from "../tables";
import { existingTable } from "./existingTable";

/** Root of the BigQuery Data Transfer Service, which runs scheduled queries. */
const TRANSFER_URL = "https://bigquerydatatransfer.googleapis.com";
const DATA_SOURCE = "scheduled_query";

/** A scheduled query, as far as `setup` uses it: https://cloud.google.com/bigquery/docs/reference/datatransfer/rest/v1/projects.locations.transferConfigs */
interface TransferConfig {
  /** `projects/P/locations/L/transferConfigs/ID`. */
  readonly name?: string;
  readonly displayName: string;
  readonly dataSourceId: typeof DATA_SOURCE;
  readonly schedule: string;
  readonly params: { readonly query: string };
}

interface TransferConfigPage {
  readonly transferConfigs?: readonly TransferConfig[];
  readonly nextPageToken?: string;
}

export interface RefreshSetup {
  readonly dataset: string;
  /** Such as `every 10 minutes`: https://cloud.google.com/appengine/docs/flexible/scheduling-jobs-with-cron-yaml#formatting_the_schedule */
  readonly schedule: string;
  /** URL that replaces {@link TRANSFER_URL}. */
  readonly endpoint?: string | undefined;
}

/** The dimensions of the last refresh of the active generation. */
async function lastDimensions(bigquery: BigQuery, dataset: string): Promise<readonly string[]> {
  const names = { project: bigquery.projectId, dataset };
  const [row] = await runQuery(
    bigquery,
    `SELECT value FROM ${dailyOf(names)} WHERE dimension = '${REFRESH}'
       AND generation IN (SELECT generation FROM ${generationsOf(names)} WHERE status = 'active')
     ORDER BY refreshed_at DESC LIMIT 1`,
  );
  const dimensions = parseDimensionList(row?.text("value") ?? "");
  return dimensions.length ? dimensions : DEFAULT_DIMENSIONS;
}

/** @throws GoogleApiError */
async function findConfig(api: GoogleApi, url: string, displayName: string): Promise<TransferConfig | undefined> {
  let pageToken: string | undefined;
  do {
    const page: TransferConfigPage = await api.json<TransferConfigPage>({
      what: "Cannot list the scheduled queries",
      url,
      query: { dataSourceIds: DATA_SOURCE, pageToken },
    });
    const found = page.transferConfigs?.find((config) => config.displayName === displayName);
    if (found) return found;
    pageToken = page.nextPageToken || undefined;
  } while (pageToken !== undefined);
  return undefined;
}

/**
 * Creates a scheduled query that refreshes the breakdowns, or updates the one of this dataset. It computes the dimensions of the last
 * refresh. Safe to repeat.
 * @throws CredentialsError, GoogleApiError (names the missing permission), or the error of the BigQuery client
 */
export async function setUpRefresh(
  api: GoogleApi,
  bigquery: BigQuery,
  { dataset, schedule, endpoint = TRANSFER_URL }: RefreshSetup,
): Promise<SetupStep> {
  const project = bigquery.projectId;
  const displayName = `eventlogger refresh of ${dataset}`;
  const step = { kind: "scheduled query", name: displayName } as const;
  const [{ location = "US" }] = (await bigquery.dataset(dataset).getMetadata()) as [{ location?: string }, unknown];
  const metadata = await existingTable(bigquery, dataset, eventsTable);
  const script = refreshScript({
    ...{ project, dataset, dimensions: await lastDimensions(bigquery, dataset) },
    lookBackMs: DEFAULT_LOOK_BACK_MS,
    retentionMs: metadata && eventRetention(metadata).expirationMs,
  });
  const wanted: TransferConfig = { displayName, dataSourceId: DATA_SOURCE, schedule, params: { query: script } };
  const url = `${endpoint}/v1/projects/${project}/locations/${location.toLowerCase()}/transferConfigs`;
  const present = await findConfig(api, url, displayName);
  if (!present?.name) {
    await api.json({ what: `Cannot create the scheduled query ${displayName}`, url, method: "POST", body: wanted });
    return { ...step, outcome: "created", detail: schedule };
  }
  const updated = [
    ...(present.schedule === schedule ? [] : [schedule]),
    ...(present.params.query === script ? [] : ["new query"]),
  ];
  if (updated.length) {
    await api.json({
      what: `Cannot update the scheduled query ${displayName}`,
      url: `${endpoint}/v1/${present.name}`,
      method: "PATCH",
      query: { updateMask: "schedule,params" },
      body: wanted,
    });
  }
  return existing(step, { updated });
}
