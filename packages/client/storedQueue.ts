import type { Store } from "./store";

/**
 * The queues of all tabs in a store: each event under a key of its own, with the name of its tab. A tab with events also
 * stores when it was last alive, and removes that when it is left, so that the next tab sends its events. Two tabs may send
 * the same event when one of them was frozen: under the same `event_id`, so it counts once.
 */
export interface StoredQueue {
  /** Stores an event. @returns its key; undefined when it could not be stored */
  add(nth: number, json: string): string | undefined;
  /**
   * True: reports that this tab sends its events and those that it has taken over. False: leaves all of them to the next tab.
   */
  claim(isAlive: boolean): void;
  /** Passes the events of dead tabs, by their keys. `take` returns false when there is no room for another one. */
  takeOver(take: (key: string) => boolean): void;
}

/**
 * @param prefix of all keys; it names the destination of the events
 * @param tab name of this tab, without a dot
 * @param staleMs a tab that has not shown for this time that it lives is taken for dead
 */
export function createStoredQueue(
  store: Store,
  prefix: string,
  tab: string,
  staleMs: number,
  now: () => number,
): StoredQueue {
  let tabs = [tab];
  return {
    add(nth, json) {
      const key = `${prefix}${tab}.${nth}`;
      return store.set(key, json) && key;
    },
    claim(isAlive) {
      for (const name of tabs) {
        if (isAlive) store.set(prefix + name, `${now()}`);
        else store.remove(prefix + name);
      }
    },
    takeOver(take) {
      tabs = [tab];
      for (const key of store.keys()) {
        const [name, nth] = key.slice(prefix.length).split(".") as [string, string?];
        if (!key.startsWith(prefix) || name === tab) continue;
        if (tabs.indexOf(name) < 0) {
          if (Math.abs(now() - Number(store.get(prefix + name))) < staleMs) continue;
          tabs.push(name);
        }
        if (nth && !take(key)) break;
      }
    },
  };
}
