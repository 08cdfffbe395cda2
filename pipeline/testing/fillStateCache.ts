/**
 * Fills a cache of ledger state, and prints its weight and the memory that it really uses, both in bytes, as JSON. Needs
 * `node --expose-gc`. Arguments: kind of entries, number of entries, budget in bytes.
 */
import "@eventlogger/beam/sdk";
import { Writer } from "protobufjs";
import { Context } from "apache-beam/coders/coders";
import { LruCache } from "@eventlogger/beam/state/cache";
import type { Cell, StateDeclaration } from "@eventlogger/beam/state/cells";
import { addDay, mergeActiveDays, type ActiveDays } from "@eventlogger/events/users/activeDays";
import { SessionLedger } from "../sessions/sessionLedger";
import type { SessionPartial } from "../sessions/encoding";
import { UserLedger } from "../users/userLedger";
import type { UserChange } from "../users/encoding";
import { loadCell } from "./statefulRun";

const ENTRIES_PER_SHARD = 100;
const SHORT_ID = 36;
const LONG_ID = 256;
const GAP_MS = 1_800_000;
const NOON = Date.parse("2026-06-01T12:00:00Z");

const { users } = new UserLedger().states();
const { sessions } = new SessionLedger(GAP_MS).states();

/** The declaration of a state, and its stored bytes with one element of the log. */
type Stored = readonly [StateDeclaration<Cell>, unknown];

function daysFrom(first: number, count: number): ActiveDays {
  const sets = Array.from({ length: count }, (_, i) => addDay(undefined, first + 3 * i)?.set as ActiveDays);
  return sets.reduce(mergeActiveDays);
}

function usersWith(ids: readonly string[], days: UserChange["days"]): Stored {
  return [users, ids.map((userId): UserChange => ({ userId, days }))];
}

function sessionsWith(ids: readonly string[], count: number): Stored {
  const intervals = Array.from(
    { length: count },
    (_, i) => [NOON + 2 * i * GAP_MS, NOON + 2 * i * GAP_MS + 5] as const,
  );
  return [sessions, ids.map((sessionId): SessionPartial => ({ sessionId, intervals }))];
}

/** The state of a shard with these ids, by the name of its kind. */
const kinds: Readonly<Record<string, (idOf: (length: number, fill?: string) => string[]) => Stored>> = {
  "users with short ids": (idsOf) => usersWith(idsOf(SHORT_ID), [20_000]),
  "users with long ids": (idsOf) => usersWith(idsOf(LONG_ID), [20_000]),
  "users with long ids beyond Latin-1": (idsOf) => usersWith(idsOf(LONG_ID, "\u4e00"), [20_000]),
  "users with several days": (idsOf) => usersWith(idsOf(SHORT_ID), [daysFrom(20_000, 3)]),
  "users with years of days": (idsOf) => usersWith(idsOf(SHORT_ID), [daysFrom(18_000, 800)]),
  "session ids with one session": (idsOf) => sessionsWith(idsOf(SHORT_ID), 1),
  "session ids with ten sessions": (idsOf) => sessionsWith(idsOf(SHORT_ID), 10),
};

function usedMemory(): number {
  for (let i = 0; i < 3; i++) global.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function fill(kind: string, entries: number, budget: number): LruCache<Cell> {
  const cache = new LruCache<Cell>(budget);
  for (let first = 0; first < entries; first += ENTRIES_PER_SHARD) {
    const idsOf = (length: number, filler = "u"): string[] =>
      Array.from({ length: ENTRIES_PER_SHARD }, (_, i) => String(first + i).padStart(length, filler));
    const [declaration, change] = (kinds[kind] as (typeof kinds)[string])(idsOf);
    const writer = new Writer();
    declaration.coder.encode(change, writer, Context.needsDelimiters);
    cache.put(String(first), loadCell(declaration, writer.finish()));
  }
  return cache;
}

const [kind = "", entries = "", budget = ""] = process.argv.slice(2);
fill(kind, ENTRIES_PER_SHARD, Infinity); // compiles the code, so that its size is not counted
const before = usedMemory();
const cache = fill(kind, Number(entries), Number(budget));
const used = usedMemory() - before;
process.stdout.write(JSON.stringify({ weight: cache.weight, shards: cache.size, used }));
