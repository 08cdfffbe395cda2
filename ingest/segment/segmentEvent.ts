import { createHash } from "node:crypto";
import { parseEventTime } from "@eventlogger/events/eventTime";
import { isPlaceholderId } from "@eventlogger/events/placeholderIds";
import type { SegmentCall } from "@eventlogger/options/segmentPath";
import { segmentPlatform } from "./segmentPlatform";

/** A call of Segment's tracking API as it arrives: any object of JSON. */
export type SegmentMessage = Readonly<Record<string, unknown>>;

/** A call as an event, which is not validated yet. */
export interface SegmentEvent {
  /** The fields of `EventInput`; those that the call lacks are undefined. */
  readonly input: Readonly<Record<string, unknown>>;
  /** The user agent of the person's device; undefined when the call has none. That of the request is often a server's. */
  readonly userAgent: string | undefined;
}

/** Maximum length of a session id, characters. */
const MAX_SESSION_ID = 128;
/** Maximum length of `page` and other texts, characters. Longer ones are cut: nobody can change them in a library. */
const MAX_TEXT = 1024;

/** A library that keeps the `sentAt` of a batch when it sends it again, so that it does not tell the time of sending. */
const KEEPS_SENT_AT = /(?:^|\/)analytics-java$/i;

type Fields = Readonly<Record<string, unknown>>;
const NO_FIELDS: Fields = {};

/** Whether a value is an object of JSON, and not an array. */
export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const fieldsOf = (value: unknown): Fields => (isObject(value) ? value : NO_FIELDS);

/** The first of the values that is there, of any type: validation judges it. */
const firstOf = (...values: readonly unknown[]): unknown =>
  values.find((value) => value !== undefined && value !== null);

const isId = (value: unknown): value is string | number =>
  (typeof value === "number" || typeof value === "string") && !isPlaceholderId(String(value));

/** A text of at most {@link MAX_TEXT} characters; undefined for anything else and for an empty one. */
const textOf = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value.slice(0, MAX_TEXT) : undefined;

/** The path of a page or, without one, its address without query and fragment, which may have secrets. */
function pageOf(context: Fields, properties: Fields): string | undefined {
  const page = fieldsOf(context.page);
  const found = textOf(page.path) ?? textOf(properties.path) ?? textOf(page.url) ?? textOf(properties.url);
  return found?.replace(/[?#][^]*$/, "");
}

/**
 * The session of a call: the `sessionId` of its properties or its context, otherwise its person. The session gap then splits
 * the events of a person into sessions.
 */
function sessionOf(candidates: readonly unknown[]): string | undefined {
  const found = candidates.find((value) => isId(value));
  if (found === undefined) return undefined;
  const id = String(found);
  return id.length <= MAX_SESSION_ID ? id : createHash("sha256").update(id).digest("hex");
}

/** Adds fields to properties that do not have them. Properties that are no object are left to validation. */
function withFields(properties: unknown, fields: Fields): unknown {
  if (properties !== undefined && properties !== null && !isObject(properties)) return properties;
  const added = Object.entries(fields).filter(
    ([name, value]) => value !== undefined && value !== null && !Object.hasOwn(properties ?? NO_FIELDS, name),
  );
  return added.length === 0 ? properties : { ...properties, ...Object.fromEntries(added) };
}

/** The name and the properties of the event of a call. */
function contentOf(
  call: SegmentCall,
  message: SegmentMessage,
  context: Fields,
): { name: unknown; properties: unknown } {
  const { campaign } = context;
  switch (call) {
    case "track":
      return { name: message.event, properties: withFields(message.properties, { campaign }) };
    case "page":
    case "screen": {
      const { name, category } = message;
      return { name: call, properties: withFields(message.properties, { name, category, campaign }) };
    }
    case "identify":
      return { name: call, properties: message.traits };
    case "group":
      return { name: call, properties: withFields(message.traits, { groupId: message.groupId }) };
    case "alias":
      return { name: call, properties: undefined };
  }
}

/** When the request was sent, by the sender's clock; undefined when the call does not tell. A broken time is no time. */
function sentAtOf(message: SegmentMessage, context: Fields, batchSentAt: unknown): string | number | undefined {
  const library = fieldsOf(context.library).name;
  if (typeof library === "string" && KEEPS_SENT_AT.test(library)) return undefined;
  const sentAt = firstOf(message.sentAt, batchSentAt);
  if (typeof sentAt !== "string" && typeof sentAt !== "number") return undefined;
  return "problem" in parseEventTime(sentAt, Number.MAX_SAFE_INTEGER) ? undefined : sentAt;
}

/**
 * The event of a call of Segment's tracking API (https://segment.com/docs/connections/spec/). docs/sending-events.md has
 * the table. Does not change the message.
 * @param batch the body of the batch that the message is in; the message itself without one
 * @param receivedAt epoch milliseconds; the time of a call without a timestamp
 */
export function segmentEvent(
  call: SegmentCall,
  message: SegmentMessage,
  batch: SegmentMessage,
  receivedAt: number,
): SegmentEvent {
  const context: Fields = { ...fieldsOf(batch.context), ...fieldsOf(message.context) };
  const { name, properties } = contentOf(call, message, context);
  const own = fieldsOf(message.properties);
  const location = fieldsOf(context.location);
  // A link: the id that the person had, and the user that it is from now on.
  const anonymousId = call === "alias" ? firstOf(message.previousId, message.anonymousId) : message.anonymousId;
  const { userId } = message;
  const session = [own.sessionId, own.session_id, context.sessionId, context.session_id, anonymousId, userId];
  const timestamp = firstOf(message.timestamp, message.originalTimestamp);
  return {
    input: {
      type: "event",
      event_id: message.messageId,
      session_id: sessionOf(session),
      event_name: name,
      event_time: timestamp ?? receivedAt,
      // The time of receipt is by the server's own clock.
      sent_at: timestamp === undefined ? undefined : sentAtOf(message, context, batch.sentAt),
      user_id: userId,
      anonymous_id: anonymousId,
      page: pageOf(context, call === "page" ? own : NO_FIELDS),
      country: textOf(location.country),
      region: textOf(location.region),
      city: textOf(location.city),
      app: textOf(fieldsOf(context.app).name),
      platform: segmentPlatform(context),
      referrer: textOf(firstOf(fieldsOf(context.page).referrer, call === "page" ? own.referrer : undefined)),
      properties,
    },
    userAgent: textOf(context.userAgent),
  };
}
