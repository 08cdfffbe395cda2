const PAGES = ["/", "/search", "/products/17", "/products/4711", "/cart", "/checkout", "/account", "/help/shipping"];
const CITIES = ["Amsterdam", "Utrecht", "Groningen", "Maastricht", "Den Haag"];
const USERS = 3000;
const EVENTS_PER_SESSION = 8;

/**
 * Bodies of distinct events: 3,000 users, 8 events a session, some 330 bytes each. Text put together by hand, because the
 * client shares the machine with what it measures.
 * @param run makes the ids of this run different from those of others
 * @param startMs event time of the first event, epoch ms
 */
export function eventBodies(run: string, startMs: number): (n: number) => string {
  return (n) => {
    const session = Math.floor(n / (USERS * EVENTS_PER_SESSION)) * USERS + (n % USERS);
    return (
      `{"type":"event","event_id":"${run}-${n}","session_id":"${run}-session-${session}","event_name":"page_view",` +
      `"event_time":${startMs + n},"user_id":"user-${n % USERS}","page":"${PAGES[n % PAGES.length]}","country":"NL",` +
      `"region":null,"city":"${CITIES[n % CITIES.length]}",` +
      `"properties":{"referrer":"https://example.org/news","viewport":[1280,720],"price":${(n % 1000) / 10}}}`
    );
  };
}

/** The same events, `size` of them in each body. */
export function batchBodies(run: string, startMs: number, size: number): (n: number) => string {
  const body = eventBodies(run, startMs);
  return (n) => {
    let text = "[" + body(n * size);
    for (let i = 1; i < size; i++) text += "," + body(n * size + i);
    return text + "]";
  };
}
