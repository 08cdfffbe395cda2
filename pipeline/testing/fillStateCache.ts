/**
 * Fills a cache of ledger state, and prints its weight and the memory that it really uses, and the size of one stored state, in bytes, as JSON. Needs
 * `node --expose-gc`. Arguments: kind of entries, number of entries, budget in bytes.
 */
import "@eventlogger/beam/sdk";
import { Writer } from "protobufjs";
import { Context } from "apache-beam/coders/coders";
import { LruCache, type Weighted } from "@eventlogger/beam/state/cache";
import type { Cell, StateDeclaration } from "@eventlogger/beam/state/cells";
import { addDay, type DaySet } from "@eventlogger/events/users/activeDays";
import type { PersonDays } from "@eventlogger/events/persons/personDeltas";
import { AnonymousLedger } from "../persons/anonymousLedger";
import { SessionLedger } from "../sessions/sessionLedger";
import { UserLedger } from "../users/userLedger";
import { loadCell } from "./statefulRun";

const GAP_MS = 1_800_000;
const NOON_MS = 43_200_000;

const rules = { countBots: false };
const { user } = new UserLedger(rules).states();
const { id } = new AnonymousLedger(rules).declare().states;
const { sessions } = new SessionLedger(GAP_MS, rules.countBots).states();

/** The declaration of a state, and its stored log. */
type Stored = readonly [StateDeclaration<Cell>, readonly unknown[]];

function daysFrom(first: number, count: number): PersonDays {
  const days = Array.from({ length: count }, (_, i) => first + 3 * i);
  return { human: days.reduce<DaySet>(addDay, undefined), bots: undefined };
}

const userWith = (count: number): Stored => [user, [{ kind: "days", days: daysFrom(18_000, count) }]];

function userWithContributions(count: number): Stored {
  const counts = Array.from({ length: count }, (_, i) => [2 * (18_000 + i), { begun: 1, ended: 0 }] as const);
  return [
    user,
    [
      { kind: "days", days: daysFrom(18_000, 1) },
      { kind: "counts", counts },
    ],
  ];
}

/** @param users number of users that the id is linked with */
function anonymousIdWith(count: number, users: number): Stored {
  const days = daysFrom(18_000, count);
  const links = Array.from({ length: users }, (_, i) => ({ kind: "days", user: linkedUser(i), days }));
  return [id, [{ kind: "days", user: undefined, days }, ...links]];
}

/** The key of a user; a text of its own, as in a worker. */
const linkedUser = (i: number): string => Buffer.alloc(16, i).toString("base64url");

function sessionsWith(count: number): Stored {
  const first = (i: number): number => NOON_MS + 2 * i * GAP_MS;
  return [sessions, [Array.from({ length: count }, (_, i) => [first(i), first(i) + 5] as const)]];
}

/** The state of a key, by the name of its kind. */
const kinds: Readonly<Record<string, Stored>> = {
  "users with one day": userWith(1),
  "users with several days": userWith(3),
  "users with years of days": userWith(800),
  "users with contributed days": userWithContributions(5),
  "anonymous ids with one day": anonymousIdWith(1, 0),
  "anonymous ids with a user": anonymousIdWith(3, 1),
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
function stored([{ coder }, log]: Stored): Uint8Array {
  const writer = new Writer();
  for (const record of log) coder.encode(record, writer, Context.needsDelimiters);
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
process.stdout.write(JSON.stringify({ weight: cache.weight, cells: empty.size, used, stored: stored(state).length }));
