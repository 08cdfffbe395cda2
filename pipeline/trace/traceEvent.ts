import type { BigQuery } from "@google-cloud/bigquery";
import type { PubSub } from "@google-cloud/pubsub";
import { DAY_MS, dayOf, dayToIso } from "@eventlogger/events/day";
import { TimeZone } from "@eventlogger/events/zone/timeZone";
import { isRunning, readActiveGeneration, timeZoneOf, type Generation } from "@eventlogger/gcp/bigquery/generations";
import { checkSubscription } from "@eventlogger/gcp/pubsub/setup/checkSubscription";
import { needsOn, withPermission } from "@eventlogger/gcp/api/permission";
import { readPerson } from "./person";
import { readSession } from "./session";
import { readAcceptedRecord, readDeadLetters, readRows } from "./storedRows";
import type { Trace, TracedGeneration } from "./trace";

/** How far back an event is searched whose id has no time. */
const DEFAULT_DAYS = 30;

/** The first day of receipt of an event, as far as its id tells: the day before the time in a UUIDv7. YYYY-MM-DD. */
export function searchFrom(eventId: string, now: number): string {
  const digits = /^([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i.exec(eventId);
  const ms = digits ? parseInt(`${digits[1]}${digits[2]}`, 16) : NaN;
  // The clock of a client may be wrong: a time in the future tells nothing.
  const from = ms <= now + DAY_MS ? ms - DAY_MS : now - DEFAULT_DAYS * DAY_MS;
  return dayToIso(Math.max(0, dayOf(from)));
}

export interface TraceOptions {
  readonly dataset: string;
  readonly topic: string;
  /** The subscription of the pipeline, when the generation does not name it. */
  readonly subscription: string;
  /** UTC day, YYYY-MM-DD. @default see {@link searchFrom} */
  readonly since?: string | undefined;
  readonly now: number;
}

function tracedGeneration(active: Generation): TracedGeneration {
  const settings: Generation["settings"] & { readonly countBots?: boolean } = active.settings;
  return {
    generation: active.generation,
    timeZone: timeZoneOf(settings),
    sessionGapMs: settings.sessionGapMs,
    countsBots: settings.countBots ?? false,
    isRunning: active.job?.runner === "dataflow" ? null : isRunning(active),
  };
}

/**
 * Follows one event: topic, raw row, dead letter, day, session, person and record. Reads, and changes nothing.
 * @throws Error that names the missing permission, or the client's error
 */
export async function traceEvent(
  { bigquery, pubsub }: { readonly bigquery: BigQuery; readonly pubsub: PubSub },
  eventId: string,
  options: TraceOptions,
): Promise<Trace> {
  const { dataset, since = searchFrom(eventId, options.now) } = options;
  const need = needsOn(pubsub.projectId, `topic ${options.topic}`);
  const [rows, deadLetters, active, [topicExists]] = await Promise.all([
    readRows(bigquery, dataset, eventId, since),
    readDeadLetters(bigquery, dataset, eventId, since),
    readActiveGeneration(bigquery, dataset),
    withPermission(need("pubsub.topics.get"), () => pubsub.topic(options.topic).exists()),
  ]);
  const subscription = active?.subscription ?? options.subscription;
  const { problems } = await checkSubscription(pubsub, subscription);
  const generation = active ? tracedGeneration(active) : null;
  const [row] = rows;
  const zone = generation && TimeZone.of(generation.timeZone);
  const [session, person, acceptedRecord] = row
    ? await Promise.all([
        zone && generation
          ? readSession(bigquery, dataset, row, { zone, gapMs: generation.sessionGapMs, since })
          : null,
        readPerson(bigquery, dataset, row),
        readAcceptedRecord(bigquery, dataset, row),
      ])
    : [null, null, null];
  const found = {
    eventId,
    state: row ? "stored" : deadLetters.length ? "dead_letter" : "not_found",
    searchedSince: since,
    topic: { name: options.topic, exists: topicExists },
    subscription: { name: subscription, problems },
    ...{ rows, deadLetters, generation },
    day: row && zone ? dayToIso(zone.dayOf(Date.parse(row.event_time))) : null,
    ...{ session, person, acceptedRecord },
  } as const;
  return { ...found, notes: notesOn(found) };
}

/** Why an event is not counted, or may not be. */
export function notesOn(found: Omit<Trace, "notes">): string[] {
  const { state, rows, topic, subscription, generation, person, searchedSince, acceptedRecord } = found;
  const [row] = rows;
  const notes: string[] = [];
  if (!generation) notes.push("The dataset has no generation: no pipeline has started, so nothing is counted");
  if (!topic.exists) notes.push(`Topic ${topic.name} does not exist: ingest cannot accept events`);
  if (state !== "stored") notes.push(...subscription.problems);
  if (generation?.isRunning === false && state !== "stored") {
    notes.push(
      `No run computes generation ${generation.generation}: events wait in subscription ${subscription.name} until \`eventlogger run\` starts`,
    );
  }
  if (state === "not_found") {
    notes.push(
      `No row received since ${searchedSince}, and no dead letter, has this id. It was received earlier (--since), is still in ` +
        "the topic, or was never accepted: an accepted event has the answer 2xx of the service, with its id in X-Event-Id",
    );
  }
  if (state === "dead_letter") {
    notes.push("The event is not counted. `eventlogger dead-letters list` shows whether it can be sent again");
  }
  if (row?.is_bot && generation && !generation.countsBots) {
    notes.push(`The event is that of a bot, and generation ${generation.generation} counts no bots`);
  }
  if (person?.isShared && person.countsFor.length === 0) {
    notes.push("More than 50 users share the anonymous id, so it counts for nobody");
  } else if (person?.countsFor.length === 0) {
    notes.push("The event has no user and no anonymous id: it counts in its session, and for no person");
  }
  if (acceptedRecord === "not_recorded") {
    notes.push(
      "The record of accepted events has nothing of this day yet: the pipeline may not have counted the event",
    );
  }
  return notes;
}
