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
}

export interface SyntheticEvent {
  readonly index: number;
  readonly userId: string;
  readonly sessionId: string;
  /** Epoch ms. */
  readonly eventTime: number;
}

/** Generates events. The same traffic gives the same events. */
export function* syntheticEvents(traffic: SyntheticTraffic): Generator<SyntheticEvent> {
  const { count, activeUsers, eventsPerSession, startMs, stepMs } = traffic;
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
    yield { index, userId: `user-${user}`, sessionId: `session-${user}-${sessions[user]}`, eventTime };
  }
}

/** The data of the event's Pub/Sub message. */
export function messageData(e: SyntheticEvent): Buffer {
  return Buffer.from(
    `{"type":"event","event_id":"event-${e.index}","session_id":"${e.sessionId}","event_name":"page_view",` +
      `"event_time":${e.eventTime / 1000},"user_id":{"string":"${e.userId}"},` +
      `"page":{"string":"/products/${e.index % 997}"},"country":{"string":"PT"},"region":{"string":"Lisboa"},` +
      `"city":{"string":"Lisbon"},"properties":"{\\"plan\\":\\"pro\\",\\"position\\":${e.index % 31}}",` +
      `"received_at":${e.eventTime + 20}}`,
  );
}
