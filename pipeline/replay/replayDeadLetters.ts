import type { BigQuery } from "@google-cloud/bigquery";
import type { PubSub } from "@google-cloud/pubsub";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import { DeadLetterTable } from "../deadLetters/deadLetterSource";
import { eventTopic } from "../deadLetters/eventTopic";
import { resend } from "../deadLetters/resend";
import { storedEventIds } from "../deadLetters/storedEvents";
import { Pace } from "./pace";
import { ReplayPublisher } from "./replayPublisher";

export interface DeadLetterReplayRequest {
  readonly bigquery: BigQuery;
  readonly dataset: string;
  readonly pubsub: PubSub;
  /** The topic of published events. */
  readonly topic: string;
  /** The replay topic of the generation. */
  readonly replayTopic: string;
  readonly generation: number;
  /** Bounds of `failed_at`, epoch ms: from `since` on, and before `until`. */
  readonly since: number;
  readonly until: number;
  /** Events per second; 0: as fast as possible. */
  readonly rate: number;
  readonly dryRun: boolean;
  readonly signal?: AbortSignal;
  /** Called for each dead letter that was handled. */
  readonly onProgress?: (counts: DeadLetterCounts) => void;
}

/** What became of dead letters. */
export interface DeadLetterCounts {
  /** Their events have a row: they were replayed. */
  readonly replayed: number;
  /** Their events had no row: they were published like new ones, so that they get one and are counted. */
  readonly resent: number;
  /** They have no event, or Pub/Sub refused it. `eventlogger dead-letters list` shows the reasons. */
  readonly notSent: number;
}

/**
 * Brings the events of repaired dead letters into the ledgers of a generation. An event that has a row in `events` is replayed. One
 * without a row is sent to the topic of published events, as `eventlogger dead-letters resend` does: the row would be
 * missing otherwise.
 * @throws the reason of the signal; Error of BigQuery or Pub/Sub
 */
export async function replayDeadLetters(request: DeadLetterReplayRequest): Promise<DeadLetterCounts> {
  const { bigquery, dataset, pubsub, generation, since, until, rate, dryRun, signal, onProgress } = request;
  const counts = { replayed: 0, resent: 0, notSent: 0 };
  const pace = new Pace(rate, signal);
  const publisher = new ReplayPublisher({
    ...{ pubsub, topic: request.replayTopic, generation, dataset, rate: 0, signal },
    onPublished: () => undefined,
  });
  const publish = eventTopic(pubsub, pubsub.projectId, request.topic);
  const paced = async (event: AnalyticsEvent, send: (event: AnalyticsEvent) => Promise<void>): Promise<void> => {
    await pace.pass(1);
    if (!dryRun) await send(event);
  };
  try {
    await resend(
      new DeadLetterTable(bigquery, dataset).read({ errorTypes: [], since, until }),
      {
        storedIds: (events) => storedEventIds(bigquery, dataset, events),
        publish: (event) => paced(event, publish),
        publishStored: (event) => paced(event, (one) => publisher.add(one)),
      },
      (_letter, { kind }) => {
        if (kind === "sent") counts.resent++;
        else if (kind === "stored") counts.replayed++;
        else counts.notSent++;
        onProgress?.({ ...counts });
      },
    );
    await publisher.flush();
  } finally {
    await publisher.settle();
  }
  return counts;
}
