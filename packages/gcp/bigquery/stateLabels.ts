import type { BigQuery, TableMetadata } from "@google-cloud/bigquery";
import { withPermission } from "../api/permission";
import { runQuery } from "./query";
import { dailyRollupVersionsTable } from "./tables";
import { tableReference } from "./views";

const STATE_LABEL = "eventlogger_state";
const RUN_LABEL = "eventlogger_run";
const CHECKPOINT_LABEL = "eventlogger_checkpoint";

/** Identifies the pipeline state that the numbers in the tables come from. */
export interface StateLabels {
  /** Id of the state. */
  readonly state: string;
  /** Number of the newest run on that state. */
  readonly run: number;
  /** Number of a recorded checkpoint, at most some minutes older than the newest one; 0: none yet. */
  readonly checkpoint: number;
}

const toLabels = ({ state, run, checkpoint }: StateLabels): Record<string, string> => ({
  [STATE_LABEL]: state,
  [RUN_LABEL]: String(run),
  [CHECKPOINT_LABEL]: String(checkpoint),
});

/** The table whose labels name the state that the numbers come from. */
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

  /** A command that sets the labels by hand. */
  labelCommand(labels: StateLabels): string {
    const flags = Object.entries(toLabels(labels)).map(([key, value]) => `--set_label ${key}:${value}`);
    return `bq update ${flags.join(" ")} ${this.bigquery.projectId}:${this.name}`;
  }

  /** Reads the labels; undefined when the table has none. @throws Error that names the missing permission */
  async labels(): Promise<StateLabels | undefined> {
    const [metadata] = (await this.call("bigquery.tables.get", () => this.table.getMetadata())) as [
      TableMetadata,
      unknown,
    ];
    const labels = metadata.labels as Readonly<Record<string, string | undefined>> | undefined;
    const state = labels?.[STATE_LABEL];
    return state === undefined
      ? undefined
      : {
          state,
          run: Number(labels?.[RUN_LABEL] ?? 0),
          checkpoint: Number(labels?.[CHECKPOINT_LABEL] ?? 0),
        };
  }

  /** Whether the table has any row. @throws Error that names the missing permission */
  async hasNumbers(): Promise<boolean> {
    const reference = tableReference(this.bigquery.projectId, this.dataset, dailyRollupVersionsTable.name);
    const rows = await this.call("bigquery.jobs.create", () =>
      runQuery(this.bigquery, `SELECT version FROM ${reference} LIMIT 1`),
    );
    return rows.length > 0;
  }

  /** The highest version of any day; 0 when the table is empty. @throws Error that names the missing permission */
  async maxVersion(): Promise<number> {
    const reference = tableReference(this.bigquery.projectId, this.dataset, dailyRollupVersionsTable.name);
    const [row] = await this.call("bigquery.jobs.create", () =>
      runQuery(this.bigquery, `SELECT IFNULL(MAX(version), 0) AS version FROM ${reference}`),
    );
    return row?.number("version") ?? 0;
  }

  /** Sets the labels. @throws Error that names the missing permission */
  async label(labels: StateLabels): Promise<void> {
    await this.call("bigquery.tables.update", () => this.table.setMetadata({ labels: toLabels(labels) }));
  }

  private call<T>(permission: string, call: () => Promise<T>): Promise<T> {
    return withPermission({ project: this.bigquery.projectId, permission, resource: `table ${this.name}` }, call);
  }
}
