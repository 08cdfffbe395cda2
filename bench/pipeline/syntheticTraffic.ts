/** Cheap synthetic events for measuring the pipeline. The shape of sessions is realistic, the contents are not. */

export interface SyntheticTraffic {
  readonly count: number;
  /** Number of users active at the same time; 0 gives every event a new user and a new session. */
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
  readonly eventTime: number;
}

/** mulberry32 */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Generates the events; deterministic. */
export function* syntheticEvents(traffic: SyntheticTraffic): Generator<SyntheticEvent> {
  const { count, activeUsers, eventsPerSession, startMs, stepMs } = traffic;
  const next = random(1);
  const sessions = new Int32Array(Math.max(activeUsers, 1));
  for (let index = 0; index < count; index++) {
    const eventTime = Math.floor(startMs + index * stepMs);
    if (!activeUsers) {
      yield { index, userId: `user-${index}`, sessionId: `session-${index}`, eventTime };
      continue;
    }
    const user = Math.floor(next() * activeUsers);
    if (next() < 1 / eventsPerSession) sessions[user] = (sessions[user] ?? 0) + 1;
    yield { index, userId: `user-${user}`, sessionId: `session-${user}-${sessions[user]}`, eventTime };
  }
}

/** Encodes an event as the data of a Pub/Sub message. */
export function messageData(e: SyntheticEvent): Buffer {
  return Buffer.from(
    `{"type":"event","event_id":"event-${e.index}","session_id":"${e.sessionId}","event_name":"page_view",` +
      `"event_time":${e.eventTime / 1000},"user_id":{"string":"${e.userId}"},` +
      `"page":{"string":"/products/${e.index % 997}"},"country":{"string":"PT"},"region":{"string":"Lisboa"},` +
      `"city":{"string":"Lisbon"},"properties":"{\\"plan\\":\\"pro\\",\\"position\\":${e.index % 31}}",` +
      `"received_at":${e.eventTime + 20}}`,
  );
}
