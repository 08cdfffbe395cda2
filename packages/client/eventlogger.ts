/**
 * Client of the ingest service for browsers and Node (18 or newer), without dependencies. It uses only the syntax and
 * the library of ES2018. It builds addresses as text, because the `URL` of React Native is incomplete. It queues events,
 * stores the queue where there is storage, sends events in batches, and retries a batch until it is answered. Each event
 * gets its `event_id` when it is tracked, so a retry changes no number.
 *
 * It collects nothing by itself: no page address, no user agent, no cookies.
 */
import { attempt } from "./attempt";
import { adapterStore, createStore, pageStore, PREFIX, type Store } from "./store";
import { createStoredQueue, type StoredQueue } from "./storedQueue";
import { ANONYMOUS_KEY, createVisitor, type Visitor } from "./visitor";

/** An id. A number is sent as its text: 42 as `"42"`. */
export type Id = string | number;

/** The optional fields of an event. */
export interface EventFields {
  readonly page?: string | null;
  readonly country?: string | null;
  readonly region?: string | null;
  readonly city?: string | null;
  /** The app that sends the event. @default the name of the write key */
  readonly app?: string | null;
  /** Such as `web`, `ios`, `android` or `server`. @default the service derives it from the request */
  readonly platform?: string | null;
  /** URL or host of the page before; only the host is kept. */
  readonly referrer?: string | null;
  /** At most 16 KiB as JSON. */
  readonly properties?: Readonly<Record<string, unknown>>;
  /** Overrides the user set by `identify`. */
  readonly user_id?: Id | null;
  /** Overrides the client's anonymous id. In Node there is no default: one process acts for many people. */
  readonly anonymous_id?: Id | null;
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
   * - `no-consent`: consent was withdrawn before the event could be sent.
   */
  readonly reason: "queue-full" | "invalid" | "rejected" | "refused" | "closed" | "no-consent";
  readonly errors: readonly FieldError[];
}

/**
 * What happened to the events since the previous result of `flush` or `close`. Each event is counted once. Events that this
 * client has taken over from a closed tab or an earlier start count, too.
 */
export interface FlushResult {
  /** Events that the service accepted. */
  readonly sent: number;
  /** Events that were dropped, for any {@link Drop.reason}. */
  readonly dropped: number;
  /** Events tracked before the call that have no answer yet: 0 unless the timeout has passed. Always 0 after `close`. */
  readonly pending: number;
}

/**
 * Storage for programs that are not pages, such as React Native apps. It gets one key, `eventlogger`. Only one client at a
 * time may use it. The functions may return promises; an exception is treated as missing storage.
 */
export interface ClientStorage {
  /** The stored text; null or undefined when there is nothing. */
  get(key: string): unknown;
  set(key: string, value: string): unknown;
  remove(key: string): unknown;
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
   * Maximum size of the events that one tab keeps in storage until they are answered, bytes of JSON. Further events are kept
   * in memory only. 0 stores no events. @default 1048576
   */
  readonly maxStoredBytes?: number;
  /** Keeps the ids and the queue, where there is no `localStorage`. @default `localStorage` in pages, else nothing */
  readonly storage?: ClientStorage;
  /**
   * Nothing is stored, read or sent before `consent(true)`; until then events are kept in memory only. @default false
   */
  readonly requireConsent?: boolean;
  /** Prints events, requests and answers on the console. @default false */
  readonly debug?: boolean;
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
  /**
   * Queues an event `alias`, which links an anonymous id to a user: its events count for the user, earlier and later ones.
   * Needed only for an anonymous id of another device or system. Events after `identify` have both ids, which links them. The
   * user of the following events does not change.
   * @param anonymousId default: the client's own
   * @returns as `track`
   * @throws TypeError in Node without an `anonymousId` or a `session_id`
   */
  alias(userId: Id, anonymousId?: Id, fields?: EventFields): string | null;
  /** The anonymous id of this browser or device; null in Node, before consent, and until `storage` is loaded. */
  anonymousId(): string | null;
  /**
   * Makes the following events anonymous, takes a new anonymous id and starts a new session, also in the other tabs. Call it
   * at a logout on a device that several people use.
   */
  reset(): void;
  /**
   * True starts storing and sending. False withdraws: it drops the events that are not answered, removes everything that the
   * client has stored, also in the other tabs, and drops the following events. The choice is not stored: with
   * `requireConsent`, call it on every page.
   */
  consent(isGranted: boolean): void;
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
  readonly length?: number;
  key?(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem?(key: string): void;
}

/** The parts of a browser or of Node that the client uses, by their global names. Optional parts may be missing. */
export interface Environment {
  readonly Date: { now(): number; parse(text: string): number };
  readonly Math: { random(): number };
  fetch(url: string, init: Readonly<Record<string, unknown>>): Promise<Answer>;
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
  readonly AbortController: new () => { readonly signal: unknown; abort(): void };
  readonly URL?: new (url: string, base?: string) => { readonly href: string };
  readonly TextEncoder: new () => { encode(text: string): Uint8Array };
  readonly crypto?: { getRandomValues(bytes: Uint8Array): unknown };
  readonly localStorage?: KeyValueStorage;
  readonly sessionStorage?: KeyValueStorage;
  readonly navigator?: { readonly sendBeacon?: (this: unknown, url: string, body: string) => boolean };
  readonly location?: { readonly href: string };
  readonly document?: Document;
  readonly Request?: { readonly prototype: object };
  readonly console?: { warn(text: string): void; log?(...values: unknown[]): void };
  readonly process?: { readonly versions?: { readonly node?: string } };
  addEventListener?: EventSource["addEventListener"];
  removeEventListener?: EventSource["removeEventListener"];
}

type Document = EventSource & { readonly visibilityState: string };

/** The fields of `StorageEvent`. Other events lack them. */
export type Listener = (event: { readonly key?: string | null; readonly newValue?: string | null }) => void;

interface EventSource {
  addEventListener(type: string, listener: Listener): void;
  removeEventListener(type: string, listener: Listener): void;
}

const MAX_BATCH_EVENTS = 1000;
/** Far below the limit of the service, to keep uploads short. */
const MAX_BATCH_BYTES = 1048576;
/** Browsers limit what an unloading page may send to 64 KiB. */
const MAX_LAST_BYTES = 60000;
/** Upper bound of the wait before the second attempt; it doubles with each further attempt. */
const FIRST_RETRY_MS = 1000;
const MAX_RETRY_MS = 30000;
/** After it the events of a silent tab are taken over. Browsers delay the timers of hidden tabs by up to 1 min. */
const STALE_MS = 300000;
/** Room in a batch for the ids that are added to an event after it was measured, bytes. */
const RESERVED_BYTES = 1000;
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
  maxStoredBytes: MAX_BATCH_BYTES,
};

/** The options without a number. */
const OTHER_OPTIONS: Record<Exclude<keyof ClientOptions, keyof typeof DEFAULTS>, true> = {
  url: true,
  writeKey: true,
  userId: true,
  storage: true,
  requireConsent: true,
  debug: true,
  onDrop: true,
};

/** The fields that {@link idText} is for. */
const IDS = ["event_id", "session_id", "user_id", "anonymous_id"];

/** The text of an id that is a number, a bigint or a boolean; any other value as it is. */
const idText = <T>(id: T): T | string => (/^(number|bigint|boolean)$/.test(typeof id) ? String(id) : id);

/**
 * JSON with U+FFFD in place of each half of a surrogate pair: what is left of a character that a text was cut in. Such a
 * half has no UTF-8 form. JSON.stringify escapes halves, and no whole pairs; engines of ES2018 leave them to `fetch`, which
 * replaces them in the same way.
 */
const wellFormed = (json: string): string =>
  json.replace(/\\(ud[89a-f]..|.)/g, (escape) => (escape.length > 2 ? "\ufffd" : escape));

function fill(event: Record<string, unknown>, field: keyof EventFields, value: () => unknown): void {
  if (event[field] === undefined) event[field] = value();
}

/** Size of `{"sent_at":1700000000000,"events":[]}`, rounded up. */
const EMPTY_BATCH_BYTES = 50;

type Uuid = () => string;

/**
 * Makes UUIDs of version 7 (RFC 9562), which sort by time. crypto.randomUUID is missing in pages without TLS. Node 18 has
 * no global `crypto`; there Math.random is good enough to avoid collisions.
 */
function uuidv7(env: Environment): Uuid {
  return () => {
    const bytes = new Uint8Array(10).map(() => env.Math.random() * 256);
    if (env.crypto) env.crypto.getRandomValues(bytes);
    bytes[2] = ((bytes[2] as number) & 0x3f) | 0x80;
    const random = Array.from(bytes, (byte) => (byte + 256).toString(16).slice(1)).join("");
    const time = env.Date.now().toString(16).padStart(12, "0");
    return `${time}7${random.slice(1)}`.replace(/(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  };
}

/** The answer to a request. */
interface Answered {
  /** 0: no answer. */
  readonly status: number;
  /** Not before this time, ms. */
  readonly pauseMs: number;
  readonly body: { readonly rejected?: unknown; readonly errors?: unknown };
}

/** The delay of a Retry-After header (seconds or a date) in ms; 0 without a valid header. */
function pauseOf(header: string | null, env: Environment): number {
  const ms = Number(header) * 1000 || env.Date.parse(header as string) - env.Date.now();
  return ms > 0 ? Math.min(ms, MAX_PAUSE_MS) : 0;
}

const parsed = (text: string): { rejected?: unknown; errors?: unknown; event_id?: unknown } =>
  attempt(() => JSON.parse(text) as object) || {};

const list = <T>(value: unknown): T[] => (Array.isArray(value) ? (value as T[]) : []);

/** A problem with the whole event. */
const problem = (message: string): FieldError[] => [{ field: "", message }];

/** A queued event. */
interface Entry {
  /** Sequence number in the order of tracking. */
  readonly nth: number;
  json: string;
  /** Size of the JSON in UTF-8, with the comma after it. */
  bytes: number;
  /** Key in the store; undefined when the event is not stored. */
  storedAs?: string;
  /**
   * `held`: until there is consent and the storage is loaded; it lacks its session and its anonymous id. `sent`: in a request that is aborted when the page unloads. `handed`: in a request with `keepalive`, whose
   * answer arrives if the page stays. `beacon`: in a beacon, whose answer the page never sees. `done`: answered or
   * dropped; an answer to another request with it changes nothing.
   */
  state: "held" | "waiting" | "sent" | "handed" | "beacon" | "done";
}

/** @param sentAt epoch milliseconds, by which the service detects a wrong clock */
const bodyOf = (entries: readonly Entry[], sentAt: number): string =>
  `{"sent_at":${sentAt},"events":[${entries.map(({ json }) => json).join(",")}]}`;

function endpointOf(url: string, env: Environment): string {
  const URL = env.URL as NonNullable<typeof env.URL>;
  let text: string | undefined = url && String(url).trim();
  // Only pages resolve a relative URL, because the `URL` of React Native cannot.
  if (text && !/^[a-z][a-z\d+.-]*:/i.test(text)) {
    text = attempt(() => new URL(text as string, (env.location as { href: string }).href).href);
  }
  // A user name is refused because fetch refuses it.
  const [, origin, path = ""] = /^(https?:\/\/[^\s/?#@\\]+)(\/[^\s?#\\]*)?([?#].*)?$/i.exec(text || "") || [];
  // Checks the host and the port. Nothing is read from it. An old engine has no URL.
  if (!origin || (URL && !attempt(() => new URL(origin)))) {
    throw new TypeError(`url: must be the http(s) address of the service, not ${url}`);
  }
  return `${origin}${path.replace(/\/*$/, "").replace(/\/events?$/, "")}/events/`;
}

/** The letters of a name, each with the next one. */
const pairs = (name: string): string[] =>
  name
    .toLowerCase()
    .split("")
    .map((letter, i, all) => letter + (all[i + 1] as string));

/** @throws TypeError that names the first unknown option and the known one nearest to it */
function checkNames(options: ClientOptions): void {
  const known = Object.keys({ ...OTHER_OPTIONS, ...DEFAULTS });
  for (const name of Object.keys(options)) {
    if (known.indexOf(name) >= 0) continue;
    const likeness = (other: string): number =>
      pairs(name).filter((pair) => pairs(other).indexOf(pair) >= 0).length / other.length;
    const nearest = known.reduce((a, b) => (likeness(b) > likeness(a) ? b : a));
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
    const min = Number(name !== "maxStoredBytes");
    if (!(value >= min && value <= max)) {
      throw new TypeError(`${name}: must be a number from ${min} to ${max}, not ${value}`);
    }
    settings[name] = value;
  }
  if (options.writeKey !== undefined && !/^[!-~]+$/.test(options.writeKey)) {
    throw new TypeError("writeKey: must be visible ASCII");
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
  const { batchSize, flushInterval, maxQueue, maxQueueBytes, sessionTimeout, requestTimeout, maxStoredBytes } =
    settingsOf(options);
  const { writeKey, onDrop, storage, debug } = options;
  const endpoint = endpointOf(options.url, env);
  const headers: Record<string, string> = { "Content-Type": "application/json" };
  if (writeKey !== undefined) headers["X-Write-Key"] = writeKey;
  /** Requests of an unloading page must not need a preflight: plain text, and the key in the query. */
  const lastEndpoint = writeKey === undefined ? endpoint : `${endpoint}?key=${encodeURIComponent(writeKey)}`;
  const lastHeaders = { "Content-Type": "text/plain;charset=UTF-8" };

  const newId = uuidv7(env);
  const now = (): number => env.Date.now();
  // React Native has a `process` without versions.
  const isNode = !env.document && !!(env.process && env.process.versions && env.process.versions.node);
  const encoder = new env.TextEncoder();
  let userId = options.userId === undefined ? null : idText(options.userId);

  /** In the order of tracking. An entry is removed when it is answered or dropped. */
  let queue: Entry[] = [];
  let queueBytes = 0;
  let storedBytes = 0;
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
  /** Abort the requests in flight. */
  const aborts = new Set<() => void>();
  let closing: Promise<FlushResult> | undefined;
  let stopped = false;
  let flushes: { readonly upTo: number; readonly done: () => void }[] = [];
  /** Since the last result of flush or close. */
  let sent = 0;
  let dropped = 0;

  /** Undefined: `consent` is required, and was not called. */
  let isGranted: boolean | undefined;
  /** Number of calls of `consent` so far. */
  let choices = 0;
  /** Set while there is consent and the storage is loaded. */
  let visitor: Visitor | undefined;
  let store = createStore();
  let storedQueue: StoredQueue | undefined;
  /** What waits for `visitor`, in the order of the calls. */
  let held: ((visitor: Visitor) => void)[] = [];

  const log = (...values: unknown[]): void => {
    if (debug && env.console && env.console.log) env.console.log("eventlogger:", ...values);
  };

  const warned: string[] = [];
  /** Warns once about each topic. */
  function warn(topic: string, text: string): void {
    if (!env.console || warned.indexOf(topic) >= 0) return;
    warned.push(topic);
    env.console.warn(`eventlogger: event ${text}. Only the first is printed.`);
  }
  function warnOfDrop({ event, reason, errors }: Drop): void {
    const causes = errors.map(({ field, message }) => `; ${field ? `${field} ` : ""}${message}`).join("");
    if (reason !== "no-consent") warn(reason, `"${event.event_name}" was dropped: ${reason}${causes}`);
  }
  const report = onDrop || warnOfDrop;

  function drop(event: ClientEvent, reason: Drop["reason"], errors: readonly FieldError[] = []): null {
    // Asynchronous, so that an error in the callback does not break the client.
    void Promise.resolve({ event, reason, errors }).then(report);
    dropped++;
    log(reason, event);
    return null;
  }

  function dropEntry(entry: Entry, reason: Drop["reason"], errors?: readonly FieldError[]): void {
    if (entry.state === "done") return;
    entry.state = "done";
    drop(JSON.parse(entry.json) as ClientEvent, reason, errors);
  }

  function remove(entries: readonly Entry[]): void {
    const gone = new Set(entries);
    const kept: Entry[] = [];
    for (const entry of queue) {
      if (!gone.has(entry)) kept.push(entry);
      else {
        queueBytes -= entry.bytes;
        if (entry.storedAs) {
          storedBytes -= entry.bytes;
          store.remove(entry.storedAs);
        }
      }
    }
    queue = kept;
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
    let room = maxBytes - EMPTY_BATCH_BYTES;
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

  async function post(entries: readonly Entry[], last: boolean): Promise<Answered> {
    const controller = new env.AbortController();
    const abort = (): void => controller.abort();
    const timeout = env.setTimeout(abort, requestTimeout);
    aborts.add(abort);
    try {
      const response = await env.fetch(last ? lastEndpoint : endpoint, {
        method: "POST",
        body: bodyOf(entries, now()),
        headers: last ? lastHeaders : headers,
        keepalive: last,
        credentials: "omit",
        signal: controller.signal,
      });
      const text = await response.text();
      const { status } = response;
      return { status, pauseMs: pauseOf(response.headers.get("Retry-After"), env), body: parsed(text) };
    } catch {
      return { status: 0, pauseMs: 0, body: {} };
    } finally {
      env.clearTimeout(timeout);
      aborts.delete(abort);
    }
  }

  function settle(entries: readonly Entry[], { status, pauseMs, body }: Answered): void {
    if (stopped) return;
    log("answer", status, entries.length, body);
    const isFailed = !status || status >= 500 || status === 429 || status === 408;
    const isTooLarge = status === 413;
    if (isFailed) {
      // Full jitter, so that clients that failed together do not retry together.
      pause(pauseMs + env.Math.random() * Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** failures));
    }
    failures = isFailed ? failures + 1 : 0;
    if (isFailed || (isTooLarge && entries.length > 1)) {
      // Entries handed to a beacon since then stay with the beacon.
      mark(
        entries.filter(({ state }) => state !== "beacon" && state !== "done"),
        "waiting",
      );
      if (isTooLarge) batchLimit = entries.length >> 1;
    } else {
      const isAccepted = status < 300;
      if (isAccepted) batchLimit = Math.min(batchSize, batchLimit + 1);
      for (const { index, errors } of list<{ index: number; errors: FieldError[] }>(body.rejected)) {
        if (entries[index]) dropEntry(entries[index], "rejected", errors);
      }
      const errors = list<FieldError>(body.errors);
      for (const entry of entries) {
        if (!isAccepted) {
          dropEntry(
            entry,
            "refused",
            errors.length ? errors : problem(isTooLarge ? "is too large" : `HTTP status ${status}`),
          );
        } else if (entry.state !== "done") {
          entry.state = "done";
          sent++;
        }
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
    void post(batch, false).then((answered) => {
      sending = false;
      settle(batch, answered);
    });
  }

  /** Sends now or starts the timer, if there is anything to send and neither has happened yet. */
  function plan(): void {
    if (stopped) return;
    if (storedQueue && queue.length) storedQueue.claim(true);
    else takeOver();
    if (sending || pausing) return;
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
        mark(batch, "handed");
        void post(batch, true).then((answered) => settle(batch, answered));
      } else if (beacons.call(navigator, lastEndpoint, bodyOf(batch, now()))) mark(batch, "beacon");
      else maxBytes /= 2;
    }
  }

  /** Stores an event until it is answered, if there is room. */
  function keep(entry: Entry): void {
    if (!storedQueue || storedBytes + entry.bytes > maxStoredBytes) return;
    entry.storedAs = storedQueue.add(entry.nth, entry.json);
    if (entry.storedAs) storedBytes += entry.bytes;
  }

  function enqueue(json: string, bytes: number, state: Entry["state"], storedAs?: string): Entry {
    const entry: Entry = { nth: ++tracked, json, bytes, state, storedAs };
    queue.push(entry);
    queueBytes += bytes;
    if (storedAs) storedBytes += bytes;
    return entry;
  }

  const sizeOf = (json: string): number => encoder.encode(json).length + 1;

  /** Takes over what earlier pages or starts have stored, as far as there is room. */
  function takeOver(): void {
    if (!storedQueue) return;
    storedQueue.claim(false);
    storedQueue.takeOver((key) => {
      const event = parsed(store.get(key) as string);
      const text = JSON.stringify(event);
      const bytes = sizeOf(text);
      if (queue.length && (queue.length >= maxQueue || queueBytes + bytes > maxQueueBytes)) return false;
      if (!event.event_id) store.remove(key);
      else if (!queue.some((entry) => entry.storedAs === key)) enqueue(text, bytes, "waiting", key);
      return true;
    });
    if (queue.length) storedQueue.claim(true);
  }

  function addIds(event: Record<string, unknown>, of: Visitor): void {
    if (isNode) return;
    fill(event, "session_id", () => of.sessionId(!!event.user_id));
    fill(event, "anonymous_id", of.anonymousId);
  }

  /** Adds to a held event what it lacks, and stores it. */
  function complete(entry: Entry, ready: Visitor): void {
    if (entry.state === "held") {
      const event = JSON.parse(entry.json) as Record<string, unknown>;
      addIds(event, ready);
      entry.json = JSON.stringify(event);
      entry.state = "waiting";
      queueBytes -= entry.bytes;
      queueBytes += entry.bytes = sizeOf(entry.json);
    }
    if (entry.state === "waiting") keep(entry);
  }

  /** Runs now, or once there is consent and the storage is loaded. */
  function whenReady(run: (visitor: Visitor) => void): void {
    if (visitor) run(visitor);
    else if (isGranted !== false) held.push(run);
  }

  let loading: Promise<Store> | undefined;
  function withStore(run: (store: Store) => void): void {
    if (storage) void (loading = loading || adapterStore(storage)).then(run);
    else run(pageStore(env));
  }

  function grant(): void {
    isGranted = true;
    const choice = ++choices;
    withStore((opened) => {
      if (choice !== choices || stopped) return;
      store = opened;
      if (maxStoredBytes && (storage || env.document)) {
        const prefix = `${PREFIX}queue.${lastEndpoint} `;
        storedQueue = createStoredQueue(store, prefix, newId(), storage ? 0 : STALE_MS, now);
      }
      visitor = createVisitor(isNode ? createStore() : store, newId, now, sessionTimeout);
      for (const run of held) run(visitor);
      held = [];
      takeOver();
      plan();
    });
  }

  function withdraw(): void {
    isGranted = false;
    choices++;
    visitor = storedQueue = undefined;
    held = [];
    for (const abort of aborts) abort();
    for (const entry of queue) dropEntry(entry, "no-consent");
    remove(queue);
    withStore((opened) => {
      for (const key of opened.keys()) if (key.startsWith(PREFIX)) opened.remove(key);
    });
  }

  function onVisibility(): void {
    if ((env.document as Document).visibilityState === "hidden") handOver(false);
    else onReturn();
  }
  function onLeave(): void {
    handOver(true);
    if (storedQueue) storedQueue.claim(false);
  }
  const onStorage: Listener = ({ key, newValue }) => {
    if (key === ANONYMOUS_KEY && newValue === null) withdraw();
  };
  /** The page lives on. The results of beacons are unknown, so send them again; the ids make that harmless. */
  function onReturn(): void {
    mark(take(["beacon"], MAX_NUMBER, MAX_NUMBER), "waiting");
    plan();
  }
  function listen(method: "addEventListener" | "removeEventListener"): void {
    const { document } = env;
    if (!document || !env.addEventListener) return;
    document[method]("visibilitychange", onVisibility);
    const page = env as EventSource;
    page[method]("pagehide", onLeave);
    page[method]("pageshow", onReturn);
    page[method]("storage", onStorage);
  }
  listen("addEventListener");

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

  function track(name: string, fields: EventFields = {}): string | null {
    if (isNode && !fields.session_id && fields.session_id !== 0) {
      throw new TypeError("session_id: is required in Node");
    }
    const event: Record<string, unknown> = { ...fields, type: "event", event_name: name };
    for (const field of IDS) event[field] = idText(event[field]);
    fill(event, "event_id", newId);
    fill(event, "event_time", now);
    fill(event, "user_id", () => userId);
    if (visitor) addIds(event, visitor);
    log("track", event);
    const taken = event as unknown as ClientEvent;
    let json: string;
    let bytes: number;
    try {
      // Serialize now: the caller may change the fields later.
      const text = JSON.stringify(event);
      json = wellFormed(text);
      if (json !== text) {
        warn("half", `"${name}" has half of a surrogate pair, which was replaced by U+FFFD`);
        event.event_id = (JSON.parse(json) as ClientEvent).event_id;
      }
      bytes = sizeOf(json);
    } catch (error) {
      return drop(taken, "invalid", problem((error as Error).message));
    }
    if (bytes > MAX_BATCH_BYTES - RESERVED_BYTES) {
      return drop(taken, "invalid", problem("is too large"));
    }
    if (closing) return drop(taken, "closed");
    if (isGranted === false) return drop(taken, "no-consent");
    if (queue.length >= maxQueue || queueBytes + bytes > maxQueueBytes) return drop(taken, "queue-full");
    const entry = enqueue(json, bytes, visitor ? "waiting" : "held");
    whenReady((ready) => complete(entry, ready));
    plan();
    return event.event_id as string;
  }

  if (!options.requireConsent) grant();

  return {
    track,
    alias(user, anonymousId, fields) {
      if (isNode && anonymousId === undefined) throw new TypeError("anonymousId: is required in Node");
      return track("alias", { ...fields, user_id: user, anonymous_id: anonymousId });
    },
    anonymousId: () => (visitor && !isNode ? visitor.anonymousId() : null),
    identify(id) {
      userId = idText(id);
      if (!id) whenReady((ready) => ready.restartSession());
    },
    reset() {
      userId = null;
      whenReady((ready) => ready.reset());
    },
    consent(granted) {
      if (!granted) withdraw();
      else if (!isGranted) grant();
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
          listen("removeEventListener");
          for (const entry of queue) dropEntry(entry, "closed");
          remove(queue);
          if (storedQueue) storedQueue.claim(false);
          return takeResult(tracked);
        });
      }
      return closing;
    },
  };
}
