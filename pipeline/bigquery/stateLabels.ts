import type { BigQuery, TableMetadata } from "@google-cloud/bigquery";
import { withPermission } from "../google/permission";
import { runQuery } from "./query";
import { dailyRollupVersionsTable } from "./tables";
import { tableReference } from "./views";

const STATE_LABEL = "eventlogger_state";
const RUN_LABEL = "eventlogger_run";

/** The pipeline's state that counted what is in the tables. */
export interface StateLabels {
  /** Id of the state. */
  readonly state: string;
  /** The newest run on that state. */
  readonly run: number;
}

/** The table whose labels tell which state the numbers come from. */
export class LabelledTables {
  private readonly table;

  constructor(
    private readonly bigquery: BigQuery,
    private readonly dataset: string,
  ) {
    this.table = bigquery.dataset(dataset).table(dailyRollupVersionsTable.name);
  }

  /** `dataset.table`, for messages. */
  get name(): string {
    return `${this.dataset}.${dailyRollupVersionsTable.name}`;
  }

  /** Command that sets the labels by hand. */
  labelCommand({ state, run }: StateLabels): string {
    return (
      `bq update --set_label ${STATE_LABEL}:${state} --set_label ${RUN_LABEL}:${run} ` +
      `${this.bigquery.projectId}:${this.name}`
    );
  }

  /** The labels; undefined when the table has none. @throws Error that names the missing permission */
  async labels(): Promise<StateLabels | undefined> {
    const [metadata] = (await this.allowed("bigquery.tables.get", () => this.table.getMetadata())) as [
      TableMetadata,
      unknown,
    ];
    const labels = metadata.labels as Readonly<Record<string, string | undefined>> | undefined;
    const state = labels?.[STATE_LABEL];
    return state === undefined ? undefined : { state, run: Number(labels?.[RUN_LABEL] ?? 0) };
  }

  /** Whether there are numbers of any day. @throws Error that names the missing permission */
  async hasNumbers(): Promise<boolean> {
    const reference = tableReference(this.bigquery.projectId, this.dataset, dailyRollupVersionsTable.name);
    const rows = await this.allowed("bigquery.jobs.create", () =>
      runQuery(this.bigquery, `SELECT version FROM ${reference} LIMIT 1`),
    );
    return rows.length > 0;
  }

  /** Sets the labels. @throws Error that names the missing permission */
  async label({ state, run }: StateLabels): Promise<void> {
    await this.allowed("bigquery.tables.update", () =>
      this.table.setMetadata({ labels: { [STATE_LABEL]: state, [RUN_LABEL]: String(run) } }),
    );
  }

  private allowed<T>(permission: string, call: () => Promise<T>): Promise<T> {
    return withPermission({ project: this.bigquery.projectId, permission, resource: `table ${this.name}` }, call);
  }
}
