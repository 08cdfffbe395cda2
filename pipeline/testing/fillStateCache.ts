/**
 * Fills a cache of ledger state, and prints its weight and the memory that it really uses, both in bytes, as JSON. Needs
 * `node --expose-gc`. Arguments: kind of entries, number of entries, budget in bytes.
 */
import "@eventlogger/beam/sdk";
import { Writer } from "protobufjs";
import { Context } from "apache-beam/coders/coders";
import { LruCache, type Weighted } from "@eventlogger/beam/state/cache";
import type { Cell, StateDeclaration } from "@eventlogger/beam/state/cells";
import { addDay, mergeActiveDays, type ActiveDays } from "@eventlogger/events/users/activeDays";
import { SessionLedger } from "../sessions/sessionLedger";
import { UserLedger } from "../users/userLedger";
import { loadCell } from "./statefulRun";

const GAP_MS = 1_800_000;
const NOON_MS = 43_200_000;

const { days } = new UserLedger().states();
const { sessions } = new SessionLedger(GAP_MS).states();

/** The declaration of a state, and one element of its stored log. */
type Stored = readonly [StateDeclaration<Cell>, unknown];

function daysFrom(first: number, count: number): ActiveDays {
  const sets = Array.from({ length: count }, (_, i) => addDay(undefined, first + 3 * i)?.set as ActiveDays);
  return sets.reduce(mergeActiveDays);
}

function sessionsWith(count: number): Stored {
  const first = (i: number): number => NOON_MS + 2 * i * GAP_MS;
  return [sessions, Array.from({ length: count }, (_, i) => [first(i), first(i) + 5] as const)];
}

/** The state of a key, by the name of its kind. */
const kinds: Readonly<Record<string, Stored>> = {
  "users with one day": [days, [20_000]],
  "users with several days": [days, daysFrom(20_000, 3)],
  "users with years of days": [days, daysFrom(18_000, 800)],
  "session ids with one session": sessionsWith(1),
  "session ids with ten sessions": sessionsWith(10),
};

function usedMemory(): number {
  for (let i = 0; i < 3; i++) global.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** @param cellOf creates the cell of an entry */
function fill<C extends Weighted>(entries: number, budget: number, cellOf: () => C): LruCache<C> {
  const cache = new LruCache<C>(budget);
  for (let i = 0; i < entries; i++) cache.put(String(i), cellOf());
  return cache;
}

/** The stored bytes of a cell. */
function stored([{ coder }, change]: Stored): Uint8Array {
  const writer = new Writer();
  coder.encode(change, writer, Context.needsDelimiters);
  return writer.finish();
}

const [kind = "", entries = "", budget = ""] = process.argv.slice(2);
const count = Number(entries);
const state = kinds[kind] as Stored;
const cellOf = (): Cell => loadCell(state[0], stored(state));
fill(100, Infinity, cellOf); // compiles the code, so that its size is not counted
const before = usedMemory();
const cache = fill(count, Number(budget), cellOf);
const filled = usedMemory();
// The memory of the cache itself, without cells.
const none: Weighted = { weight: 0 };
const empty = fill(cache.size, Infinity, () => none);
const ofCache = usedMemory() - filled;
const used = filled - before - ofCache;
process.stdout.write(JSON.stringify({ weight: cache.weight, cells: empty.size, used }));
