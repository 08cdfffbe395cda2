import type { BigQuery, JobMetadata } from "@google-cloud/bigquery";
import { ResultRow } from "../query";

/** Runs the queries of one verification and adds up the bytes that BigQuery reads for them. */
export class MeteredQueries {
  private bytes = 0;

  constructor(private readonly bigquery: BigQuery) {}

  /** Bytes that BigQuery has read so far, which it charges; undefined when the server does not report them, as emulators. */
  get bytesScanned(): number | undefined {
    return this.bytes > 0 ? this.bytes : undefined;
  }

  /**
   * Runs a query and reads its whole result.
   * @throws Error of the BigQuery client when the query is rejected or fails
   */
  async run(query: string, params: Readonly<Record<string, string | number>> = {}): Promise<ResultRow[]> {
    const [job] = await this.bigquery.createQueryJob({
      query,
      ...(Object.keys(params).length ? { params: { ...params } } : {}),
    });
    const [rows] = await job.getQueryResults();
    const [metadata] = (await job.getMetadata()) as [JobMetadata, unknown];
    this.bytes += Number(metadata.statistics?.query?.totalBytesProcessed ?? 0);
    return rows.map((row) => new ResultRow(row as Record<string, unknown>));
  }

  /**
   * Asks how many bytes a statement would read, without running it, and adds them up.
   * @throws Error of the BigQuery client when the statement is rejected
   */
  async estimate(query: string): Promise<void> {
    const [job] = await this.bigquery.createQueryJob({ query, dryRun: true });
    const { statistics } = job.metadata as JobMetadata;
    this.bytes += Number(statistics?.totalBytesProcessed ?? 0);
  }
}
