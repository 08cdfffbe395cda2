/**
 * Client of the ingest service for browsers and Node (18 or newer), without dependencies. It uses only the syntax and
 * the library of ES2018. It builds addresses as text, because the `URL` of React Native is incomplete. It queues events, sends them in batches, and retries a batch until it is answered. Each event
 * gets its `event_id` when it is tracked, so a retry changes no number.
 *
 * It collects nothing by itself: no page address, no user agent, no cookies.
 */

/** An id. A number is sent as its text: 42 as `"42"`. */
export type Id = string | number;

/** The optional fields of an event. */
export interface EventFields {
  readonly page?: string | null;
  readonly country?: string | null;
  readonly region?: string | null;
  readonly city?: string | null;
  /** At most 16 KiB as JSON. */
  readonly properties?: Readonly<Record<string, unknown>>;
  /** Overrides the user set by `identify`. */
  readonly user_id?: Id | null;
  /** Overrides the client's session. Required in Node: one process acts for many users, so it has no session. */
  readonly session_id?: Id;
  /** Epoch milliseconds, or ISO 8601. @default now */
  readonly event_time?: number | string;
  /** 1 to 128 characters. @default a UUIDv7 */
  readonly event_id?: Id;
}

/** An event as it is sent to the service. */
export type ClientEvent = EventFields & { readonly type: "event"; readonly event_name: string };

/** A problem with one field of an event; `field` is "" when it concerns the whole event. */
export interface FieldError {
  readonly field: string;
  readonly message: string;
}

/** An event that will not be sent, or not sent again, and the reason. */
export interface Drop {
  readonly event: ClientEvent;
  /**
   * - `queue-full`: the queue has reached `maxQueue` or `maxQueueBytes`. New events are dropped, older ones are kept.
   * - `invalid`: the event cannot be written as JSON, or is larger than the largest batch.
   * - `rejected`: the service rejected this event; `errors` has the reasons.
   * - `refused`: the service refused the whole request, for example because of a wrong key; `errors` has its answer.
   * - `closed`: the client was closed before the event could be sent.
   */
  readonly reason: "queue-full" | "invalid" | "rejected" | "refused" | "closed";
  readonly errors: readonly FieldError[];
}

/** What happened to the events since the previous result of `flush` or `close`. Each event is counted once. */
export interface FlushResult {
  /** Events that the service accepted. */
  readonly sent: number;
  /** Events that were dropped, for any {@link Drop.reason}. */
  readonly dropped: number;
  /** Events tracked before the call that have no answer yet: 0 unless the timeout has passed. Always 0 after `close`. */
  readonly pending: number;
}

export interface ClientOptions {
  /**
   * URL of the ingest service. Batches are sent to `events/` under it; one `event/` or `events/` at its end is ignored.
   * In a page it may be relative.
   */
  readonly url: string;
  /** Write key. Sent as `X-Write-Key`, or in the query (`?key=`) while the page is hidden or unloaded. */
  readonly writeKey?: string;
  /** The user until `identify` is called. @default null, which is anonymous */
  readonly userId?: Id | null;
  /** Maximum events per batch, up to 1000. A full batch is sent at once. @default 100 */
  readonly batchSize?: number;
  /** Maximum time that an event waits for its batch to fill, ms. @default 2000 */
  readonly flushInterval?: number;
  /** Maximum number of events queued or in flight. @default 1000 */
  readonly maxQueue?: number;
  /** Maximum size of the events queued or in flight, bytes of JSON. @default 4194304 */
  readonly maxQueueBytes?: number;
  /** A new session starts after this time without an event, ms. @default 1800000, 30 min */
  readonly sessionTimeout?: number;
  /** Time limit of one request, ms. After it the batch is retried. @default 15000 */
  readonly requestTimeout?: number;
  /**
   * Called for each dropped event, never from within `track`.
   * @default one warning on the console for each reason
   */
  readonly onDrop?: (drop: Drop) => void;
}

export interface Client {
  /**
   * Queues an event.
   * @returns its `event_id`, or null when it was dropped immediately, see {@link Drop}
   * @throws TypeError in Node without a `session_id`; nothing else throws
   */
  track(name: string, fields?: EventFields): string | null;
  /**
   * Sets the user of the following events; null means anonymous. It is not stored: call it on every page. Null starts a
   * new session if the current one has events of a user, so a page may pass null each time nobody is logged in.
   */
  identify(userId: Id | null): void;
  /** Makes the following events anonymous and starts a new session, also in the other tabs. */
  reset(): void;
  /**
   * Sends queued events without waiting for batches to fill. It respects `Retry-After`.
   * @param timeoutMs default 10000
   * @returns the counts, once all events tracked before are answered or dropped, or when the timeout passes
   */
  flush(timeoutMs?: number): Promise<FlushResult>;
  /**
   * Stops accepting events, flushes, then stops. While the service does not answer, retries keep a Node process alive
   * until this is called. Events without an answer at the timeout are dropped.
   * @param timeoutMs default 10000
   * @returns the counts; further calls return the same promise
   */
  close(timeoutMs?: number): Promise<FlushResult>;
}

interface Answer {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  text(): Promise<string>;
}

interface KeyValueStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

/** The parts of a browser or of Node that the client uses, by their global names. Optional parts may be missing. */
export interface Environment {
  readonly Date: { now(): number; parse(text: string): number };
  readonly Math: { random(): number };
  fetch(url: string, init: Readonly<Record<string, unknown>>): Promise<Answer>;
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
  readonly AbortController: new () => { readonly signal: unknown; abort(): void };
  readonly URL?: new (url: string) => unknown;
  readonly TextEncoder: new () => { encode(text: string): Uint8Array };
  readonly crypto?: { getRandomValues(bytes: Uint8Array): unknown };
  readonly localStorage?: KeyValueStorage;
  readonly sessionStorage?: KeyValueStorage;
  readonly navigator?: { readonly sendBeacon?: (this: unknown, url: string, body: string) => boolean };
  readonly location?: { readonly href: string };
  readonly document?: EventSource & { readonly visibilityState: string };
  readonly Request?: { readonly prototype: object };
  readonly console?: { warn(text: string): void };
  readonly process?: { readonly versions?: { readonly node?: string } };
  addEventListener?: EventSource["addEventListener"];
  removeEventListener?: EventSource["removeEventListener"];
}

interface EventSource {
  addEventListener(type: string, listener: () => void): void;
  removeEventListener(type: string, listener: () => void): void;
}

const MAX_BATCH_EVENTS = 1000;
/** Far below the limit of the service, to keep uploads short. */
const MAX_BATCH_BYTES = 1048576;
/** Browsers limit what an unloading page may send to 64 KiB. */
const MAX_LAST_BYTES = 60000;
/** Upper bound of the wait before the second attempt; it doubles with each further attempt. */
const FIRST_RETRY_MS = 1000;
const MAX_RETRY_MS = 30000;
/** Longest `Retry-After` that the client respects. */
const MAX_PAUSE_MS = 3600000;

/** The global object of browsers and workers; ES2018 has no `globalThis`. */
declare const self: unknown;

/** The largest delay that timers accept. */
const MAX_NUMBER = 2147483647;

const DEFAULTS = {
  batchSize: 100,
  flushInterval: 2000,
  maxQueue: 1000,
  maxQueueBytes: 4194304,
  sessionTimeout: 1800000,
  requestTimeout: 15000,
};

/** The options without a number. */
const OTHER_OPTIONS: Record<Exclude<keyof ClientOptions, keyof typeof DEFAULTS>, true> = {
  url: true,
  writeKey: true,
  userId: true,
  onDrop: true,
};

/** The fields that {@link idText} is for. */
const IDS = ["event_id", "session_id", "user_id"];

/** The text of an id that is a number, a bigint or a boolean; any other value as it is. */
const idText = <T>(id: T): T | string => (/^(number|bigint|boolean)$/.test(typeof id) ? String(id) : id);

/**
 * JSON with U+FFFD in place of each half of a surrogate pair: what is left of a character that a text was cut in. Such a
 * half has no UTF-8 form. JSON.stringify escapes halves, and no whole pairs; engines of ES2018 leave them to `fetch`, which
 * replaces them in the same way.
 */
const wellFormed = (json: string): string =>
  json.replace(/\\(ud[89a-f]..|.)/g, (escape) => (escape.length > 2 ? "\ufffd" : escape));

const BATCH_START = '{"events":[';
const BATCH_END = "]}";

type Uuid = () => string;

/**
 * Makes UUIDs of version 7 (RFC 9562), which sort by time. crypto.randomUUID is missing in pages without TLS. Node 18 has
 * no global `crypto`; there Math.random is good enough to avoid collisions.
 */
function uuidv7(env: Environment): Uuid {
  return () => {
    const bytes = new Uint8Array(10);
    if (env.crypto) env.crypto.getRandomValues(bytes);
    else bytes.forEach((_, i) => (bytes[i] = env.Math.random() * 256));
    bytes[2] = ((bytes[2] as number) & 0x3f) | 0x80;
    const random = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    const time = env.Date.now().toString(16).padStart(12, "0");
    return [time.slice(0, 8), time.slice(8), "7" + random.slice(1, 4), random.slice(4, 8), random.slice(8)].join("-");
  };
}

const SESSION_KEY = "eventlogger.session";

interface Session {
  readonly id: string;
  /** Epoch milliseconds of the last event, or of the start. */
  readonly last: number;
  /** Whether it has events of a user. */
  readonly user?: boolean;
}

interface Sessions {
  /** Returns the id of the current session for an event now. */
  idFor(isOfUser: boolean): string;
  /** Starts a new session: always, or only if the current one has events of a user. */
  restart(always: boolean): void;
}

/**
 * Tabs share the session through localStorage. When storage is missing, forbidden or full, the session belongs to this
 * client only.
 */
function createSessions(env: Environment, newId: Uuid, timeoutMs: number): Sessions {
  let storage: KeyValueStorage | undefined;
  try {
    // Only in pages: on a server, stored sessions would be shared by all users.
    if (env.document) storage = env.localStorage || env.sessionStorage;
  } catch {
    // Forbidden.
  }
  let current: Session | undefined;
  /** A stored session that `restart` has ended. It stays in storage when the write fails. */
  let ended: string | undefined;

  function stored(): Session | undefined {
    try {
      const session = JSON.parse((storage as KeyValueStorage).getItem(SESSION_KEY) as string) as Session | null;
      const isValid = session && /^[\w-]{1,128}$/.test(session.id) && session.last >= 0 && session.id !== ended;
      return isValid ? session : undefined;
    } catch {
      return undefined;
    }
  }

  /** The session that has not timed out. */
  function active(): Session | undefined {
    const other = stored();
    // The stored session is older when a write has failed.
    if (other && !(current && current.last > other.last)) current = other;
    return current && env.Date.now() - current.last < timeoutMs ? current : undefined;
  }

  function save(session: Session): void {
    current = session;
    try {
      if (storage) storage.setItem(SESSION_KEY, JSON.stringify(session));
    } catch {
      // Full or forbidden.
    }
  }

  return {
    idFor(isOfUser) {
      const { id, user } = active() || { id: newId(), user: false };
      save({ id, last: env.Date.now(), user: isOfUser || user });
      return id;
    },
    restart(always) {
      const session = active();
      if (!always && !(session && session.user)) return;
      const other = stored();
      if (other) ended = other.id;
      save({ id: newId(), last: env.Date.now() });
    },
  };
}

/** The result of a request. */
type Outcome =
  | { readonly kind: "accepted"; readonly rejected: readonly { index: number; errors: FieldError[] }[] }
  | { readonly kind: "refused"; readonly errors: readonly FieldError[] }
  | { readonly kind: "too-large" }
  | { readonly kind: "failed"; readonly pauseMs: number };

/** The delay of a Retry-After header (seconds or a date) in ms; 0 without the header. */
function pauseMs(header: string | null, env: Environment): number {
  if (!header) return 0;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : env.Date.parse(header) - env.Date.now();
  return ms > 0 ? Math.min(ms, MAX_PAUSE_MS) : 0;
}

function parsed(text: string): { rejected?: unknown; errors?: unknown } {
  try {
    return (JSON.parse(text) || {}) as object;
  } catch {
    return {};
  }
}

const list = <T>(value: unknown): T[] => (Array.isArray(value) ? (value as T[]) : []);

function outcomeOf(status: number, retryAfter: string | null, text: string, env: Environment): Outcome {
  const body = parsed(text);
  if (status >= 200 && status < 300) return { kind: "accepted", rejected: list(body.rejected) };
  if (status === 413) return { kind: "too-large" };
  if (status >= 500 || status === 429 || status === 408) return { kind: "failed", pauseMs: pauseMs(retryAfter, env) };
  const errors = list<FieldError>(body.errors);
  return { kind: "refused", errors: errors.length ? errors : [{ field: "", message: `HTTP status ${status}` }] };
}

/** A queued event. */
interface Entry {
  /** Sequence number in the order of tracking. */
  readonly nth: number;
  readonly json: string;
  /** Size of the JSON in UTF-8, with the comma after it. */
  readonly bytes: number;
  /**
   * `sent`: in a request that is aborted when the page unloads. `handed-over`: in a request with `keepalive`, whose
   * answer arrives if the page stays. `beacon`: in a beacon, whose answer the page never sees. `done`: answered or
   * dropped; an answer to another request with it changes nothing.
   */
  state: "waiting" | "sent" | "handed-over" | "beacon" | "done";
}

const bodyOf = (entries: readonly Entry[]): string =>
  BATCH_START + entries.map(({ json }) => json).join(",") + BATCH_END;

/** Resolves a URL against the address of the page as text. Dot segments stay: `fetch` resolves them. */
function absolute(url: string, page: string | undefined): string {
  if (/^[a-z][a-z\d+.-]*:/i.test(url)) return url;
  const [, scheme = "", host = "", folder = "/"] = /^(https?:)(\/\/[^/?#]+)([^?#]*\/)?/.exec(page || "") || [];
  if (url.startsWith("//")) return scheme + url;
  return scheme + host + (url.startsWith("/") ? "" : folder) + url;
}

function endpointOf(url: string, env: Environment): string {
  const text = url ? absolute(String(url).trim(), env.location && env.location.href) : "";
  // A user name is refused because fetch refuses it.
  const [, origin, path = ""] = /^(https?:\/\/[^\s/?#@\\]+)(\/[^\s?#\\]*)?([?#].*)?$/i.exec(text) || [];
  let isValid = origin !== undefined;
  try {
    // Checks the host and the port. Nothing is read from it.
    if (origin !== undefined && env.URL) new env.URL(origin);
  } catch {
    isValid = false;
  }
  if (!isValid) throw new TypeError(`url: must be the http(s) address of the ingest service, not ${url}`);
  return `${origin}${path.replace(/\/*$/, "").replace(/\/events?$/, "")}/events/`;
}

/** The number of characters to insert, delete or replace to get from one name to the other (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const [left, above, before] = [next[j], row[j + 1], row[j]] as [number, number, number];
      next.push(Math.min(left + 1, above + 1, before + (a[i] === b[j] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length] as number;
}

/** @throws TypeError that names the first unknown option and the known one nearest to it */
function checkNames(options: ClientOptions): void {
  const known = Object.keys({ ...OTHER_OPTIONS, ...DEFAULTS });
  for (const name of Object.keys(options)) {
    if (known.indexOf(name) >= 0) continue;
    const far = (other: string): number => distance(name.toLowerCase(), other.toLowerCase());
    const nearest = known.reduce((a, b) => (far(b) < far(a) ? b : a));
    throw new TypeError(`${name}: is not an option; the nearest option is ${nearest}`);
  }
}

/** Fills in the defaults. @throws TypeError that names the invalid option */
function settingsOf(options: ClientOptions): typeof DEFAULTS {
  checkNames(options);
  const settings = { ...DEFAULTS };
  for (const name of Object.keys(DEFAULTS) as (keyof typeof DEFAULTS)[]) {
    const value = options[name] === undefined ? DEFAULTS[name] : options[name];
    const max = name === "batchSize" ? MAX_BATCH_EVENTS : MAX_NUMBER;
    if (!(value >= 1 && value <= max)) throw new TypeError(`${name}: must be a number from 1 to ${max}, not ${value}`);
    settings[name] = value;
  }
  if (options.writeKey !== undefined && !/^[!-~]+$/.test(options.writeKey)) {
    throw new TypeError("writeKey: must be visible ASCII characters, as headers cannot carry others");
  }
  return settings;
}

/**
 * Creates a client. In a page it also sends queued events when the page is hidden or unloaded.
 * @param env the environment; tests pass their own
 * @throws TypeError when an option is invalid
 */
export function createClient(
  options: ClientOptions,
  env: Environment = (typeof self === "undefined" ? globalThis : self) as unknown as Environment,
): Client {
  const { batchSize, flushInterval, maxQueue, maxQueueBytes, sessionTimeout, requestTimeout } = settingsOf(options);
  const { writeKey, onDrop } = options;
  const endpoint = endpointOf(options.url, env);
  const headers: Record<string, string> = { "Content-Type": "application/json" };
  if (writeKey !== undefined) headers["X-Write-Key"] = writeKey;
  /** Requests of an unloading page must not need a preflight: plain text, and the key in the query. */
  const lastEndpoint = writeKey === undefined ? endpoint : `${endpoint}?key=${encodeURIComponent(writeKey)}`;
  const lastHeaders = { "Content-Type": "text/plain;charset=UTF-8" };

  const newId = uuidv7(env);
  const sessions = createSessions(env, newId, sessionTimeout);
  // React Native has a `process` without versions.
  const isNode = !env.document && !!(env.process && env.process.versions && env.process.versions.node);
  const encoder = new env.TextEncoder();
  let userId = options.userId === undefined ? null : idText(options.userId);

  /** In the order of tracking. An entry is removed when it is answered or dropped. */
  let queue: Entry[] = [];
  let queueBytes = 0;
  let tracked = 0;
  /** Less than batchSize after the service answered 413. */
  let batchLimit = batchSize;
  /** Only one batch is in flight, so that a struggling service is not pushed further. */
  let sending = false;
  /** Consecutive failures. */
  let failures = 0;
  let timer: unknown;
  /** Whether the timer is a retry delay, which nothing shortens. */
  let pausing = false;
  let closing: Promise<FlushResult> | undefined;
  let stopped = false;
  let flushes: { readonly upTo: number; readonly done: () => void }[] = [];
  /** Since the last result of flush or close. */
  let sent = 0;
  let dropped = 0;

  const warned: Drop["reason"][] = [];
  function warn({ event, reason, errors }: Drop): void {
    if (!env.console || warned.indexOf(reason) >= 0) return;
    warned.push(reason);
    const causes = errors.map(({ field, message }) => `; ${field ? `${field} ` : ""}${message}`).join("");
    env.console.warn(
      `eventlogger: event "${event.event_name}" was dropped: ${reason}${causes}. ` +
        "Further drops with this reason are not printed. Set onDrop to handle each of them.",
    );
  }
  const report = onDrop || warn;

  let replaced = false;
  function warnReplaced(name: string): void {
    if (env.console && !replaced) {
      env.console.warn(
        `eventlogger: event "${name}" has half of a surrogate pair, from a text that was cut inside a character. ` +
          "It was replaced by U+FFFD. Further replacements are not printed.",
      );
    }
    replaced = true;
  }

  function drop(event: ClientEvent, reason: Drop["reason"], errors: readonly FieldError[] = []): void {
    // Asynchronous, so that an error in the callback does not break the client.
    void Promise.resolve({ event, reason, errors }).then(report);
    dropped++;
  }

  function dropEntry(entry: Entry, reason: Drop["reason"], errors?: readonly FieldError[]): void {
    if (entry.state === "done") return;
    entry.state = "done";
    drop(JSON.parse(entry.json) as ClientEvent, reason, errors);
  }

  function remove(entries: readonly Entry[]): void {
    const gone = new Set(entries);
    queue = queue.filter((entry) => !gone.has(entry));
    queueBytes = queue.reduce((sum, { bytes }) => sum + bytes, 0);
    const [first] = queue;
    flushes = flushes.filter(({ upTo, done }) => {
      if (first && first.nth <= upTo) return true;
      done();
      return false;
    });
  }

  function mark(entries: readonly Entry[], state: Entry["state"]): void {
    for (const entry of entries) entry.state = state;
  }

  /** The next entries in one of these states that fit into a body within the limits. */
  function take(states: readonly Entry["state"][], maxEntries: number, maxBytes: number): Entry[] {
    let room = maxBytes - BATCH_START.length - BATCH_END.length;
    const taken: Entry[] = [];
    for (const entry of queue) {
      if (states.indexOf(entry.state) < 0) continue;
      if (entry.bytes > room) {
        if (taken.length) break;
        continue; // too large even for an empty body
      }
      taken.push(entry);
      room -= entry.bytes;
      if (taken.length >= maxEntries) break;
    }
    return taken;
  }

  async function post(entries: readonly Entry[], last: boolean): Promise<Outcome> {
    const abort = new env.AbortController();
    const timeout = env.setTimeout(() => abort.abort(), requestTimeout);
    try {
      const response = await env.fetch(last ? lastEndpoint : endpoint, {
        method: "POST",
        body: bodyOf(entries),
        headers: last ? lastHeaders : headers,
        keepalive: last,
        credentials: "omit",
        signal: abort.signal,
      });
      return outcomeOf(response.status, response.headers.get("Retry-After"), await response.text(), env);
    } catch {
      return { kind: "failed", pauseMs: 0 };
    } finally {
      env.clearTimeout(timeout);
    }
  }

  function settle(entries: readonly Entry[], outcome: Outcome): void {
    if (stopped) return;
    if (outcome.kind === "failed") {
      failures++;
      // Full jitter, so that clients that failed together do not retry together.
      const longest = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 30));
      pause(outcome.pauseMs + env.Math.random() * longest);
    } else failures = 0;
    if (outcome.kind === "failed" || (outcome.kind === "too-large" && entries.length > 1)) {
      // Entries handed to a beacon since then stay with the beacon.
      mark(
        entries.filter(({ state }) => state !== "beacon" && state !== "done"),
        "waiting",
      );
      if (outcome.kind === "too-large") batchLimit = entries.length >> 1;
    } else {
      if (outcome.kind === "accepted") {
        batchLimit = Math.min(batchSize, batchLimit + 1);
        for (const { index, errors } of outcome.rejected) {
          const entry = entries[index];
          if (entry) dropEntry(entry, "rejected", errors);
        }
        const accepted = entries.filter(({ state }) => state !== "done");
        sent += accepted.length;
        mark(accepted, "done");
      } else {
        const errors = outcome.kind === "refused" ? outcome.errors : [{ field: "", message: "is too large" }];
        for (const entry of entries) dropEntry(entry, "refused", errors);
      }
      remove(entries);
    }
    plan();
  }

  function pause(ms: number): void {
    env.clearTimeout(timer);
    pausing = true;
    timer = env.setTimeout(() => {
      pausing = false;
      send();
    }, ms);
  }

  function send(): void {
    env.clearTimeout(timer);
    timer = undefined;
    const batch = take(["waiting"], batchLimit, MAX_BATCH_BYTES);
    if (sending || stopped || !batch.length) return;
    sending = true;
    mark(batch, "sent");
    void post(batch, false).then((outcome) => {
      sending = false;
      settle(batch, outcome);
    });
  }

  /** Sends now or starts the timer, if there is anything to send and neither has happened yet. */
  function plan(): void {
    if (sending || pausing || stopped) return;
    const waiting = take(["waiting"], batchLimit, MAX_NUMBER).length;
    if (waiting >= batchLimit || (waiting && flushes.length)) send();
    else if (waiting && timer === undefined) timer = env.setTimeout(send, flushInterval);
  }

  /** Hands queued events to the browser, which sends up to 64 KiB even if the page unloads now. */
  function handOver(leaving: boolean): void {
    const { navigator, Request } = env;
    const keepalive = Request && "keepalive" in Request.prototype;
    const beacons = navigator && navigator.sendBeacon;
    // A hidden page may live on and then needs the answer. An unloading page loses its requests in flight.
    const useBeacon = beacons && (leaving || !keepalive);
    const states: Entry["state"][] = leaving ? ["waiting", "sent"] : ["waiting"];
    for (let maxBytes = MAX_LAST_BYTES; (useBeacon || keepalive) && maxBytes > 500;) {
      const batch = take(states, MAX_BATCH_EVENTS, maxBytes);
      if (!batch.length) return;
      if (!useBeacon) {
        mark(batch, "handed-over");
        void post(batch, true).then((outcome) => settle(batch, outcome));
      } else if (beacons.call(navigator, lastEndpoint, bodyOf(batch))) mark(batch, "beacon");
      else maxBytes /= 2;
    }
  }

  function onVisibility(): void {
    if (env.document && env.document.visibilityState === "hidden") handOver(false);
    else onReturn();
  }
  const onLeave = (): void => handOver(true);
  /** The page lives on. The results of beacons are unknown, so send them again; the ids make that harmless. */
  function onReturn(): void {
    mark(take(["beacon"], MAX_NUMBER, MAX_NUMBER), "waiting");
    plan();
  }
  const { document } = env;
  const listeners: [EventSource, string, () => void][] = [];
  if (document && env.addEventListener) {
    listeners.push([document, "visibilitychange", onVisibility]);
    listeners.push([env as EventSource, "pagehide", onLeave], [env as EventSource, "pageshow", onReturn]);
  }
  for (const [source, type, listener] of listeners) source.addEventListener(type, listener);

  /** Resolves once all events tracked before are answered or dropped, or after the timeout. */
  function settled(timeoutMs = 10000): Promise<void> {
    return new Promise((resolve) => {
      if (!queue.length) return resolve();
      const late = env.setTimeout(() => {
        flushes = flushes.filter((other) => other !== waiter);
        resolve();
      }, timeoutMs);
      const waiter = {
        upTo: tracked,
        done() {
          env.clearTimeout(late);
          resolve();
        },
      };
      flushes.push(waiter);
      plan();
    });
  }

  /** The counts since the last result. */
  function takeResult(upTo: number): FlushResult {
    const result = { sent, dropped, pending: queue.filter(({ nth }) => nth <= upTo).length };
    sent = dropped = 0;
    return result;
  }

  return {
    track(name, fields = {}) {
      if (isNode && !fields.session_id && fields.session_id !== 0) {
        throw new TypeError(
          "session_id: in Node, track needs the session of the user that it acts for, " +
            'for example track("order", { session_id: request.session, user_id: request.user })',
        );
      }
      const event: Record<string, unknown> = { ...fields, type: "event", event_name: name };
      const given = (field: keyof EventFields): boolean => event[field] !== undefined;
      for (const field of IDS) event[field] = idText(event[field]);
      if (!given("event_id")) event.event_id = newId();
      if (!given("event_time")) event.event_time = env.Date.now();
      if (!given("user_id")) event.user_id = userId;
      if (!given("session_id")) event.session_id = sessions.idFor(!!event.user_id);
      const taken = event as unknown as ClientEvent;
      let json: string;
      let bytes: number;
      try {
        // Serialize now: the caller may change the fields later.
        const text = JSON.stringify(event);
        json = wellFormed(text);
        if (json !== text) {
          warnReplaced(name);
          event.event_id = (JSON.parse(json) as ClientEvent).event_id;
        }
        bytes = encoder.encode(json).length + 1;
      } catch (error) {
        drop(taken, "invalid", [{ field: "", message: (error as Error).message }]);
        return null;
      }
      if (bytes > MAX_BATCH_BYTES - BATCH_START.length - BATCH_END.length) {
        drop(taken, "invalid", [{ field: "", message: `is too large: ${bytes} bytes` }]);
        return null;
      }
      if (closing || queue.length >= maxQueue || queueBytes + bytes > maxQueueBytes) {
        drop(taken, closing ? "closed" : "queue-full");
        return null;
      }
      queue.push({ nth: ++tracked, json, bytes, state: "waiting" });
      queueBytes += bytes;
      plan();
      return event.event_id as string;
    },
    identify(id) {
      userId = idText(id);
      if (!id) sessions.restart(false);
    },
    reset() {
      userId = null;
      sessions.restart(true);
    },
    flush(timeoutMs) {
      const upTo = tracked;
      return settled(timeoutMs).then(() => takeResult(upTo));
    },
    close(timeoutMs) {
      if (!closing) {
        closing = settled(timeoutMs).then(() => {
          stopped = true;
          env.clearTimeout(timer);
          for (const [source, type, listener] of listeners) source.removeEventListener(type, listener);
          for (const entry of queue) dropEntry(entry, "closed");
          remove(queue);
          return takeResult(tracked);
        });
      }
      return closing;
    },
  };
}
