import type { BigQuery } from "@google-cloud/bigquery";
import { withPermission } from "../api/permission";
import {
  changeGenerations,
  generationsReference,
  readGeneration,
  type GenerationSettings,
  type StateLabels,
} from "./generations";
import { runQuery } from "./query";
import { existingTable } from "./setup/existingTable";
import { dailyRollupVersionsTable, generationsTable, weeklyRetentionVersionsTable } from "./tables";
import { tableReference } from "./views";

/** The numbers of a generation, and the columns of its row that name the state they come from. */
export class LabelledGeneration {
  constructor(
    private readonly bigquery: BigQuery,
    private readonly dataset: string,
    readonly generation: number,
  ) {}

  /** For messages. */
  get name(): string {
    return `generation ${this.generation} of ${this.dataset}`;
  }

  /**
   * A command that sets the labels by hand. If the row of the generation is missing, it inserts one with the settings.
   * @throws Error that names the missing permission
   */
  async labelCommand(
    { state, run, checkpoint }: StateLabels,
    settings: Pick<GenerationSettings, "sessionGapMs" | "timeZone" | "countBots" | "stateFormat">,
  ): Promise<string> {
    const { bigquery, dataset, generation } = this;
    const table = `${dataset}.${generationsTable.name}`;
    const { sessionGapMs, timeZone, countBots, stateFormat } = settings;
    const json = JSON.stringify(
      JSON.stringify({ sessionGapMs, timeZone, ...(countBots && { countBots }), stateFormat }),
    );
    const sql = (await readGeneration(bigquery, dataset, generation))
      ? `UPDATE ${table} SET state = "${state}", state_run = ${run}, state_checkpoint = ${checkpoint} WHERE generation = ${generation}`
      : `INSERT INTO ${table} (generation, status, settings, created_at, activated_at, state, state_run, state_checkpoint) ` +
        `VALUES (${generation}, "active", ${json}, CURRENT_TIMESTAMP(), CURRENT_TIMESTAMP(), "${state}", ${run}, ${checkpoint})`;
    return `bq query --project_id=${bigquery.projectId} --use_legacy_sql=false '${sql}'`;
  }

  /** Reads the labels; undefined when the generation has none, or does not exist. @throws Error that names the missing permission */
  async labels(): Promise<StateLabels | undefined> {
    return (await readGeneration(this.bigquery, this.dataset, this.generation))?.state ?? undefined;
  }

  /** Whether the generation has any number. @throws Error that names the missing permission */
  async hasNumbers(): Promise<boolean> {
    const rows = await this.query(`SELECT version FROM ${this.versions} WHERE generation = @generation LIMIT 1`);
    return rows.length > 0;
  }

  /** Whether the table of the numbers was created after the generation. @throws Error that names the missing permission */
  async isTableNewer(): Promise<boolean> {
    const { bigquery, dataset } = this;
    const found = await readGeneration(bigquery, dataset, this.generation);
    const created = Number((await existingTable(bigquery, dataset, dailyRollupVersionsTable))?.creationTime);
    return found !== undefined && created > Date.parse(found.createdAt);
  }

  /** The highest version of any day or cohort; 0 when the generation has no numbers. @throws Error that names the missing permission */
  async maxVersion(): Promise<number> {
    const retention = tableReference(this.bigquery.projectId, this.dataset, weeklyRetentionVersionsTable.name);
    const [row] = await this.query(
      `SELECT IFNULL(MAX(version), 0) AS version
       FROM (
         SELECT generation, version FROM ${this.versions}
         UNION ALL
         SELECT generation, version FROM ${retention}
       )
       WHERE generation = @generation`,
    );
    return row?.number("version") ?? 0;
  }

  /** Sets the labels. @throws Error when the generation does not exist; Error that names the missing permission */
  async label({ state, run, checkpoint }: StateLabels): Promise<void> {
    const { bigquery, dataset, generation } = this;
    const changed = await changeGenerations(
      bigquery,
      dataset,
      `UPDATE ${generationsReference(bigquery, dataset)}
       SET state = @state, state_run = @run, state_checkpoint = @checkpoint WHERE generation = @generation`,
      { state, run, checkpoint, generation },
    );
    if (changed === 0) throw new Error(`Dataset ${dataset} has no generation ${generation}`);
  }

  private get versions(): string {
    return tableReference(this.bigquery.projectId, this.dataset, dailyRollupVersionsTable.name);
  }

  private query(sql: string): ReturnType<typeof runQuery> {
    const resource = `table ${this.dataset}.${dailyRollupVersionsTable.name}`;
    const need = { project: this.bigquery.projectId, permission: "bigquery.jobs.create", resource };
    return withPermission(need, () => runQuery(this.bigquery, sql, { generation: this.generation }));
  }
}
