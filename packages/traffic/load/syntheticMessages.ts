import { createRandom } from "../generator/random";

/**
 * Pub/Sub messages for measuring the pipeline. Much cheaper to create than the events of `generateTraffic`, because the
 * source runs in the worker that is measured. Only the shape of the sessions matters, so all events have one content.
 */

export interface SyntheticTraffic {
  readonly count: number;
  /** Users that are active concurrently. 0: every event has a new user and a new session. */
  readonly activeUsers: number;
  readonly eventsPerSession: number;
  /** Event time of the first event; epoch ms. */
  readonly startMs: number;
  /** Event time between consecutive events; ms. */
  readonly stepMs: number;
  /**
   * Whether a third of the users also has an anonymous id, with which a quarter of their events has no user id. Each still is one person.
   * @default false
   */
  readonly hasAnonymousIds?: boolean | undefined;
}

export interface SyntheticEvent {
  readonly index: number;
  /** The person, whether or not the event has the user id. */
  readonly userId: string;
  /** Undefined: the event has none, and has the user id. */
  readonly anonymous?: { readonly id: string; readonly isLoggedIn: boolean } | undefined;
  readonly sessionId: string;
  /** Epoch ms. */
  readonly eventTime: number;
}

/** Generates events. The same traffic gives the same events. */
export function* syntheticEvents(traffic: SyntheticTraffic): Generator<SyntheticEvent> {
  const { count, activeUsers, eventsPerSession, startMs, stepMs, hasAnonymousIds = false } = traffic;
  const random = createRandom(1);
  const sessions = new Int32Array(Math.max(activeUsers, 1));
  for (let index = 0; index < count; index++) {
    const eventTime = Math.floor(startMs + index * stepMs);
    if (!activeUsers) {
      yield { index, userId: `user-${index}`, sessionId: `session-${index}`, eventTime };
      continue;
    }
    const user = random.int(activeUsers);
    if (random.chance(1 / eventsPerSession)) sessions[user] = (sessions[user] ?? 0) + 1;
    const anonymous =
      hasAnonymousIds && user % 3 === 0 ? { id: `visitor-${user}`, isLoggedIn: index % 4 !== 0 } : undefined;
    yield { index, userId: `user-${user}`, anonymous, sessionId: `session-${user}-${sessions[user]}`, eventTime };
  }
}

/** The data of the event's Pub/Sub message. */
export function messageData(e: SyntheticEvent): Buffer {
  const { anonymous } = e;
  const userId = anonymous && !anonymous.isLoggedIn ? "null" : `{"string":"${e.userId}"}`;
  const anonymousId = anonymous ? `"anonymous_id":{"string":"${anonymous.id}"},` : "";
  return Buffer.from(
    `{"type":"event","event_id":"event-${e.index}","session_id":"${e.sessionId}","event_name":"page_view",` +
      `"event_time":${e.eventTime / 1000},"user_id":${userId},${anonymousId}` +
      `"page":{"string":"/products/${e.index % 997}"},"country":{"string":"PT"},"region":{"string":"Lisboa"},` +
      `"city":{"string":"Lisbon"},"properties":"{\\"plan\\":\\"pro\\",\\"position\\":${e.index % 31}}",` +
      `"received_at":${e.eventTime + 20}}`,
  );
}
