import "@eventlogger/beam/sdk";
import type { PCollection } from "apache-beam";
import { GeneralObjectCoder } from "apache-beam/coders/js_coders";
import type { PTransform } from "apache-beam/transforms/transform";
import {
  applyDoFn,
  count,
  foldedState,
  type DoFn,
  type DoFnOutputs,
  type ElementContext,
  type FoldedCell,
} from "@eventlogger/beam";
import { registerModule } from "@eventlogger/beam/registerModule";
import {
  addAnonymousDay,
  mergeAnonymousRecord,
  newAnonymousId,
  recordsOfAnonymousId,
  type AnonymousChange,
  type AnonymousId,
  type AnonymousRecord,
  type Contribution,
} from "@eventlogger/events/persons/anonymousId";
import { addMarkedDay, listMarkedDays, noDays } from "@eventlogger/events/persons/personDays";
import {
  PersonChange,
  type CountRules,
  type PersonDays,
  type PersonDeltas,
} from "@eventlogger/events/persons/personDeltas";
import { bytesKvCoder } from "../byteEncoding";
import { encodeUserUpdate, type UserContribution } from "../users/encoding";
import type { KeyedDays } from "./collectDays";
import { anonymousRecordCoder, decodeAnonymousDays, type AnonymousDays } from "./encoding";
import { deltasOf, weightOfDays } from "./personStates";

/** Bytes of the objects of an anonymous id, without its days. */
const ID_WEIGHT = 100;
/** Bytes of a link, without its days. */
const LINK_WEIGHT = 250;
/** Entries of the log for each change. The log of an id is replaced by a snapshot after (64 + 2 n) / 2 changes, with n links. */
const ENTRIES_PER_CHANGE = 2;

/** Walks over the links, of which an id has at most 50. */
function weight({ days, links }: AnonymousId): number {
  let sum = ID_WEIGHT + weightOfDays(days);
  for (const together of links?.values() ?? []) sum += LINK_WEIGHT + weightOfDays(together);
  return sum;
}

const declarations = {
  states: {
    id: foldedState<AnonymousId, AnonymousRecord>({
      coder: anonymousRecordCoder,
      create: newAnonymousId,
      fold: mergeAnonymousRecord,
      snapshot: recordsOfAnonymousId,
      entries: () => ENTRIES_PER_CHANGE,
      size: ({ links }) => links?.size ?? 0,
      // Of an id that was counted on a day, workers leave out all further events of the day.
      isCached: false,
      weight,
    }),
  },
  outputs: { deltas: new GeneralObjectCoder<PersonDeltas>() },
};
type Declarations = typeof declarations;

/** Adds days to an anonymous id. @returns the days that have changed something; undefined without any */
function addDays(id: AnonymousId, { user, days }: AnonymousDays, change: AnonymousChange): AnonymousRecord | undefined {
  let added: PersonDays | undefined;
  for (const day of listMarkedDays(days)) {
    if (addAnonymousDay(id, day, user, change)) addMarkedDay((added ??= noDays()), day);
  }
  return added && { kind: "days", user, days: added };
}

/** Adds what a bundle knows of an anonymous id to its state. */
export function updateAnonymousId(
  cell: FoldedCell<AnonymousId, AnonymousRecord>,
  list: readonly AnonymousDays[],
  change: AnonymousChange,
): void {
  if (cell.state.isShared) return;
  for (const days of list) {
    const record = addDays(cell.state, days, change);
    if (record && !cell.state.isShared) cell.log(record);
  }
  if (!cell.state.isShared) return;
  count("sharedAnonymousIds");
  // Nothing else of the id is stored from now on.
  cell.clear();
  mergeAnonymousRecord(cell.state, { kind: "shared" });
  cell.log({ kind: "shared" });
}

/** The contributions of each user, as one element. */
export function contributionsByUser(contributions: readonly Contribution[]): KeyedDays[] {
  const users = new Map<string, UserContribution[]>();
  for (const { user, day, change } of contributions) {
    const known = users.get(user);
    if (known) known.push({ day, change });
    else users.set(user, [{ day, change }]);
  }
  return [...users].map(([key, list]) => ({
    key,
    value: encodeUserUpdate({ kind: "contributions", contributions: list }),
  }));
}

/**
 * Keeps the days of each anonymous id and the users that it was seen with. The main output are the days that the ids contribute to users,
 * keyed by user; the output `deltas` are the changes of the counts by ids without a user.
 */
export class AnonymousLedger implements DoFn<KeyedDays, KeyedDays, Declarations> {
  constructor(private readonly rules: CountRules) {}

  declare(): Declarations {
    return declarations;
  }

  process(
    { value }: KeyedDays,
    context: Pick<ElementContext<KeyedDays, Declarations>, "state" | "output" | "outputTo">,
  ): void {
    const person = new PersonChange(this.rules, true);
    const change: AnonymousChange = { person, contributions: [] };
    updateAnonymousId(context.state.id, decodeAnonymousDays(value), change);
    for (const deltas of deltasOf(person) ?? []) context.outputTo("deltas", deltas);
    for (const contribution of contributionsByUser(change.contributions)) context.output(contribution);
  }
}

/** Applies the {@link AnonymousLedger} to the days of anonymous ids. */
export function anonymousLedger(
  rules: CountRules,
): PTransform<PCollection<KeyedDays>, DoFnOutputs<KeyedDays, Declarations>> {
  return applyDoFn("AnonymousLedger", new AnonymousLedger(rules), { output: bytesKvCoder });
}

registerModule(module);
