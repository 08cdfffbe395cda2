/** What a replay needs, for `--dry-run`. */
export interface ReplayEstimate {
  /** Bytes that BigQuery reads, which it charges; undefined when the server does not report them, as emulators. */
  readonly bytesScanned: number | undefined;
  /** Size of the messages; bytes. Pub/Sub charges it twice, for publishing and for delivery. */
  readonly messageBytes: number;
}

/** Bytes of a line beside its texts and their two bytes of length in BigQuery: names, punctuation, and times in digits. */
const LINE_OVERHEAD = 110;
/** Size of an average line, where the size of the rows is not known; bytes. */
const AVERAGE_LINE = 220;

/** @param bytesScanned see {@link ReplayEstimate} */
export function estimateReplay(rows: number, bytesScanned: number | undefined): ReplayEstimate {
  const messageBytes = bytesScanned === undefined ? rows * AVERAGE_LINE : bytesScanned + rows * LINE_OVERHEAD;
  return { bytesScanned, messageBytes };
}
