import { EVENT_NAMES, PAGES, PLACES } from "../content";

const USERS = 3000;
const EVENTS_PER_SESSION = 8;

/** The content of the n-th event is the n-th of these texts, which are created once. */
const CONTENTS: readonly string[] = Array.from(
  { length: EVENT_NAMES.length * PAGES.length * PLACES.length },
  (_, i) => {
    const content = {
      event_name: EVENT_NAMES[i % EVENT_NAMES.length],
      page: PAGES[i % PAGES.length],
      ...PLACES[i % PLACES.length],
      properties: { referrer: "https://example.org/news/2026", viewport: [1280, 720], price: (i % 1000) / 10 },
    };
    return JSON.stringify(content).slice(1);
  },
);

/**
 * Bodies for `POST /event/`: distinct events of 3,000 users with 8 events per session, about 300 bytes each. Concatenates
 * texts instead of serialising objects, because the load client shares the machine with the service that it measures.
 * @param run part of every event and session id; distinguishes this run from others
 * @param startMs event time of the first event, epoch ms
 * @returns the body of the n-th event
 */
export function eventBodies(run: string, startMs: number): (n: number) => string {
  return (n) => {
    const session = Math.floor(n / (USERS * EVENTS_PER_SESSION)) * USERS + (n % USERS);
    return (
      `{"type":"event","event_id":"${run}-${n}","session_id":"${run}-session-${session}",` +
      `"event_time":${startMs + n},"user_id":"user-${n % USERS}",${CONTENTS[n % CONTENTS.length]}`
    );
  };
}

/** Bodies for `POST /events/`: arrays of `size` of the same events. */
export function batchBodies(run: string, startMs: number, size: number): (n: number) => string {
  const body = eventBodies(run, startMs);
  return (n) => {
    let text = "[" + body(n * size);
    for (let i = 1; i < size; i++) text += "," + body(n * size + i);
    return text + "]";
  };
}
