import type { Environment, Listener } from "../eventlogger";
import { FakeClock } from "./fakeClock";

export interface SentEvent extends Record<string, unknown> {
  readonly event_id: string;
}

/** A request that the client made. */
export interface SentRequest {
  readonly url: string;
  readonly how: "fetch" | "keepalive" | "beacon";
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly events: readonly SentEvent[];
  /** Epoch milliseconds. */
  readonly sent_at: number;
}

export interface FakeAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** Answers a request after `afterMs` (default 0); "none" never answers, "network" fails the request. */
export type Answering = (request: SentRequest) => (FakeAnswer & { readonly afterMs?: number }) | "none" | "network";

export const accepting: Answering = ({ events }) => ({ status: 200, body: { accepted: events.length, rejected: [] } });

class Listeners {
  private readonly all: { type: string; listener: Listener }[] = [];
  addEventListener(type: string, listener: Listener): void {
    this.all.push({ type, listener });
  }
  removeEventListener(type: string, listener: Listener): void {
    const at = this.all.findIndex((other) => other.type === type && other.listener === listener);
    if (at >= 0) this.all.splice(at, 1);
  }
  get size(): number {
    return this.all.length;
  }
  fire(type: string, event: Parameters<Listener>[0] = {}): void {
    for (const each of [...this.all]) if (each.type === type) each.listener(event);
  }
}

/** A Web Storage in memory. */
export class FakeStorage {
  readonly items = new Map<string, string>();
  getItem(key: string): string | null {
    return this.items.get(key) ?? null;
  }
  setItem(key: string, value: string): void {
    this.items.set(key, value);
  }
  removeItem(key: string): void {
    this.items.delete(key);
  }
  get length(): number {
    return this.items.size;
  }
  key(index: number): string | null {
    return [...this.items.keys()][index] ?? null;
  }
}

/** The environment of a page, with a fake clock and a service that a test scripts. */
export class FakePage {
  readonly requests: SentRequest[] = [];
  answering: Answering = accepting;
  /** What sendBeacon returns; undefined in a browser without beacons. */
  beacon: ((request: SentRequest) => boolean) | undefined = () => true;
  keepalive = true;
  /** In [0, 1). */
  random = (): number => 0.5;
  private readonly window = new Listeners();
  private readonly documentListeners = new Listeners();
  private visibility = "visible";
  private isDead = false;

  /** Tabs of one browser share the storage; a test of several tabs gives them one clock. */
  constructor(
    readonly storage = new FakeStorage(),
    readonly clock = new FakeClock(),
  ) {}

  get listeners(): number {
    return this.window.size + this.documentListeners.size;
  }

  /** All events in all requests, in order. */
  get events(): readonly SentEvent[] {
    return this.requests.flatMap(({ events }) => events);
  }

  hide(): void {
    this.visibility = "hidden";
    this.documentListeners.fire("visibilitychange");
  }

  show(): void {
    this.visibility = "visible";
    this.documentListeners.fire("visibilitychange");
  }

  /** In the order of the HTML standard. */
  leave(): void {
    this.window.fire("pagehide");
    this.hide();
  }

  /** Nothing runs in the page any more, as after a crash. */
  die(): void {
    this.isDead = true;
  }

  /** Restores the page from the back/forward cache. */
  restore(): void {
    this.window.fire("pageshow");
    this.show();
  }

  environment(changes: Partial<Environment> = {}): Environment {
    const { clock, documentListeners, window } = this;
    const visibility = (): string => this.visibility;
    const navigator = (): Environment["navigator"] =>
      this.beacon && { sendBeacon: (url, body) => this.sendBeacon(url, body) };
    const request = (): Environment["Request"] => ({ prototype: this.keepalive ? { keepalive: false } : {} });
    return {
      Date: { now: () => clock.now, parse: (text) => Date.parse(text) },
      Math: { random: () => this.random() },
      fetch: (url, init) => this.fetch(url, init),
      setTimeout: (run, ms) => clock.setTimeout(() => void (this.isDead || run()), ms),
      clearTimeout: (timer) => clock.clearTimeout(timer),
      AbortController,
      URL,
      TextEncoder,
      crypto: globalThis.crypto,
      localStorage: this.storage,
      location: { href: "https://shop.example/cart?item=1#top" },
      document: {
        get visibilityState() {
          return visibility();
        },
        addEventListener: (type, listener) => documentListeners.addEventListener(type, listener),
        removeEventListener: (type, listener) => documentListeners.removeEventListener(type, listener),
      },
      get navigator() {
        return navigator();
      },
      get Request() {
        return request();
      },
      addEventListener: (type, listener) => window.addEventListener(type, listener),
      removeEventListener: (type, listener) => window.removeEventListener(type, listener),
      ...changes,
    };
  }

  /** Another tab has changed or removed a stored value. */
  storageChanged(key: string, newValue: string | null): void {
    this.window.fire("storage", { key, newValue });
  }

  private record(request: Omit<SentRequest, "events" | "sent_at">): SentRequest {
    const { events, sent_at } = JSON.parse(request.body) as { events: SentEvent[]; sent_at: number };
    const whole = { ...request, events, sent_at };
    this.requests.push(whole);
    return whole;
  }

  private sendBeacon(url: string, body: string): boolean {
    const taken = this.beacon?.({ url, how: "beacon", headers: {}, body, events: [], sent_at: 0 }) ?? false;
    if (taken) this.record({ url, how: "beacon", headers: {}, body });
    return taken;
  }

  private fetch(url: string, init: Readonly<Record<string, unknown>>): ReturnType<Environment["fetch"]> {
    const { body, headers, keepalive, signal } = init as unknown as {
      body: string;
      headers: Record<string, string>;
      keepalive: boolean;
      signal: AbortSignal;
    };
    const answer = this.answering(this.record({ url, how: keepalive ? "keepalive" : "fetch", headers, body }));
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(new Error("aborted")));
      if (this.isDead) return;
      if (answer === "network") reject(new TypeError("Failed to fetch"));
      else if (answer !== "none") {
        const response = {
          status: answer.status,
          headers: { get: (name: string) => new Headers(answer.headers).get(name) },
          text: () =>
            Promise.resolve(typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body ?? {})),
        };
        if (answer.afterMs) this.clock.setTimeout(() => resolve(response), answer.afterMs);
        else resolve(response);
      }
    });
  }
}
