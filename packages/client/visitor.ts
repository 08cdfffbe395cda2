import { attempt } from "./attempt";
import { PREFIX, type Store } from "./store";

const SESSION_KEY = PREFIX + "session";
/** Its removal by another tab means that consent was withdrawn there. */
export const ANONYMOUS_KEY = PREFIX + "anonymous";

const ID = /^[\w-]{1,128}$/;

interface Session {
  readonly id: string;
  /** Epoch milliseconds of the last event, or of the start. */
  readonly last: number;
  /** Whether it has events of a user. */
  readonly user?: boolean;
}

/** The anonymous id and the session of the person at this browser or device, which tabs share through a store. */
export interface Visitor {
  readonly anonymousId: () => string;
  /** Returns the id of the current session for an event now. */
  sessionId(isOfUser: boolean): string;
  /** Starts a new session if the current one has events of a user. */
  readonly restartSession: () => void;
  /** Takes a new anonymous id and starts a new session. */
  reset(): void;
}

/**
 * When the store keeps nothing, the ids belong to this client only.
 * @param now epoch milliseconds
 * @param timeoutMs a session ends after this time without an event
 */
export function createVisitor(store: Store, newId: () => string, now: () => number, timeoutMs: number): Visitor {
  let session: Session | undefined;
  let anonymous: string | undefined;
  /** Until a write fails. Then what is stored may be older than the ids of this client. */
  let isShared = true;
  const read = (key: string): string | null | undefined => (isShared ? store.get(key) : null);
  const write = (key: string, value: string): void => void (isShared = isShared && !!store.set(key, value));

  /** The session that has not timed out. */
  function active(): Session | undefined {
    const stored = attempt(() => JSON.parse(read(SESSION_KEY) as string) as Session | null);
    if (stored && ID.test(stored.id) && stored.last >= 0) session = stored;
    return session && now() - session.last < timeoutMs ? session : undefined;
  }

  function save(id: string, user?: boolean): string {
    session = { id, last: now(), user };
    write(SESSION_KEY, JSON.stringify(session));
    return id;
  }

  function anonymousId(isNew?: boolean): string {
    const stored = read(ANONYMOUS_KEY);
    if (stored && ID.test(stored)) anonymous = stored;
    if (isNew || !anonymous) anonymous = newId();
    // Other tabs may have stored nothing since it was removed.
    if (anonymous !== stored) write(ANONYMOUS_KEY, anonymous);
    return anonymous;
  }

  function restartSession(always?: boolean): void {
    const old = active();
    if (always || (old && old.user)) save(newId());
  }

  return {
    anonymousId,
    sessionId(isOfUser) {
      const old = active();
      return save(old ? old.id : newId(), isOfUser || !!(old && old.user));
    },
    restartSession,
    reset() {
      anonymousId(true);
      restartSession(true);
    },
  };
}
