import type { KV } from "apache-beam/values";
import type { BundleDoFn, StatefulDoFn } from "@eventlogger/beam";
import type { AcceptedIds } from "@eventlogger/events/accepted/acceptedIds";
import type { PersonDeltas } from "@eventlogger/events/persons/personDeltas";
import { RetentionSums, type RetentionDelta, type RetentionVersion } from "@eventlogger/events/totals/retention";
import type { DayDelta, DayVersion } from "@eventlogger/events/totals/totals";
import { FIRST_GENERATION } from "@eventlogger/gcp/bigquery/generations";
import { AcceptedLedger } from "../accepted/acceptedLedger";
import { CollectHashes } from "../accepted/collectHashes";
import { MergeHashes } from "../accepted/mergeHashes";
import { UTC_NAME } from "@eventlogger/events/zone/zoneName";
import type { SessionWindows } from "../eventPipeline";
import type { ParsedEvent } from "../parse/parsedEvent";
import { CollectAnonymousDays } from "../persons/anonymousDays";
import { AnonymousLedger } from "../persons/anonymousLedger";
import type { KeyedDays } from "../persons/collectDays";
import { SessionLedger } from "../sessions/sessionLedger";
import {
  EventPartials,
  FreshSessionIntervals,
  PaneIntervals,
  PanePartials,
  StaleSessionPartials,
  type KeyedIntervals,
} from "../sessions/sessionPartials";
import { DayTotals } from "../totals/dayTotals";
import { encodeCohortDeltas } from "../totals/retentionEncoding";
import { RetentionTotals } from "../totals/retentionTotals";
import { SumDeltas } from "../totals/sumDeltas";
import { CollectUserDays } from "../users/userDays";
import { UserLedger } from "../users/userLedger";
import { runBundle } from "./runBundle";
import { StatefulRun } from "./statefulRun";

/** Cuts a list into bundles of the given sizes, repeated as needed. */
export function bundlesOf<T>(items: readonly T[], sizes: readonly number[]): T[][] {
  const bundles: T[][] = [];
  for (let i = 0, k = 0; i < items.length; k++) {
    const size = sizes[k % sizes.length] ?? 1;
    bundles.push(items.slice(i, i + size));
    i += size;
  }
  return bundles;
}

async function runBundles<I, O>(doFn: BundleDoFn<I, O>, bundles: readonly I[][]): Promise<O[]> {
  const output: O[] = [];
  for (const bundle of bundles) output.push(...(await runBundle(doFn, bundle)));
  return output;
}

/** Fires panes: values of one key, in groups of the given sizes. A runner may group them in any way. */
function firePanes(elements: KeyedIntervals[], sizes: readonly number[]): KV<string, Iterable<Uint8Array>>[] {
  const byKey = new Map<string, Uint8Array[]>();
  for (const { key, value } of elements) byKey.set(key, [...(byKey.get(key) ?? []), value]);
  return [...byKey].flatMap(([key, values]) => bundlesOf(values, sizes).map((value) => ({ key, value })));
}

type AnonymousStates = ReturnType<AnonymousLedger["declare"]>["states"];
/** An element of one of the outputs of the AnonymousLedger. */
type AnonymousOutput = { readonly contribution?: KeyedDays; readonly deltas?: PersonDeltas };

/** The AnonymousLedger with both outputs in one. */
function withOneOutput(ledger: AnonymousLedger): StatefulDoFn<Uint8Array, AnonymousOutput, AnonymousStates> {
  return {
    states: () => ledger.declare().states,
    process: (key, value, state) => {
      const outputs: AnonymousOutput[] = [];
      ledger.process(
        { key, value },
        {
          state,
          output: (contribution: KeyedDays) => void outputs.push({ contribution }),
          outputTo: (_: "deltas", deltas: PersonDeltas) => void outputs.push({ deltas }),
        },
      );
      return outputs;
    },
  };
}

/** One size larger than any input: everything is one bundle, and one pane per session. */
const WHOLE = [Number.MAX_SAFE_INTEGER];

/**
 * The DoFns of the pipeline between parsing and the sinks, in the order of eventPipeline.ts, without a runner. State is kept
 * between calls. `sizes` are the sizes of bundles and panes.
 */
export class Computations {
  private readonly sessionLedger: StatefulRun<Uint8Array, DayDelta, ReturnType<SessionLedger["states"]>>;
  private readonly userLedger: StatefulRun<Uint8Array, PersonDeltas, ReturnType<UserLedger["states"]>>;
  private readonly anonymousLedger: StatefulRun<Uint8Array, AnonymousOutput, AnonymousStates>;
  private readonly acceptedLedger = new StatefulRun(new AcceptedLedger());
  private readonly dayTotals = new StatefulRun(new DayTotals(FIRST_GENERATION));
  private readonly retentionTotals = new StatefulRun(new RetentionTotals(FIRST_GENERATION));

  private calls = 0;
  private readonly userDays: CollectUserDays;
  private readonly anonymousDays: CollectAnonymousDays;

  /**
   * @param gapMs session gap, ms @param shardHashSecret see `IdHash`
   * @param sessionWindows whether sessions go through Beam's session windows first @param timeZone IANA name
   * @param countBots whether sessions and days of bots count
   */
  constructor(
    private readonly gapMs: number,
    private readonly shardHashSecret?: string,
    private readonly sessionWindows: SessionWindows = "beam",
    private readonly timeZone = UTC_NAME,
    countBots = false,
  ) {
    this.sessionLedger = new StatefulRun(new SessionLedger(gapMs, countBots));
    this.userLedger = new StatefulRun(new UserLedger({ countBots }));
    this.anonymousLedger = new StatefulRun(withOneOutput(new AnonymousLedger({ countBots })));
    this.userDays = new CollectUserDays(shardHashSecret, true, timeZone);
    this.anonymousDays = new CollectAnonymousDays(shardHashSecret, true, timeZone);
  }

  /** Changes of the counts by the sessions of events. */
  async countSessions(events: readonly ParsedEvent[], sizes = WHOLE): Promise<DayDelta[]> {
    const read = bundlesOf(events, sizes);
    const partials = await this.sessionPartials(read, sizes);
    return this.inBundles(partials, sizes, (bundle) => this.sessionLedger.bundle(bundle));
  }

  private async sessionPartials(read: ParsedEvent[][], sizes: readonly number[]): Promise<KeyedIntervals[]> {
    const { gapMs, shardHashSecret, timeZone } = this;
    if (this.sessionWindows === "state") {
      return runBundles(new EventPartials(gapMs, shardHashSecret, timeZone), read);
    }
    const intervals = await runBundles(new FreshSessionIntervals(gapMs, timeZone), read);
    const paneIntervals = new PaneIntervals(gapMs);
    const fired = firePanes(intervals, sizes).flatMap((pane) => [...paneIntervals.process(pane)]);
    return [
      ...(await runBundles(new PanePartials(gapMs, shardHashSecret, timeZone), bundlesOf(fired, sizes))),
      ...(await runBundles(new StaleSessionPartials(gapMs, shardHashSecret, timeZone), read)),
    ];
  }

  /** Changes of the counts of days by the persons of events. */
  async countUsers(events: readonly ParsedEvent[], sizes = WHOLE): Promise<DayDelta[]> {
    return [...(await this.countPersons(events, sizes)).days];
  }

  /** Changes of the counts by the persons of events: users, and anonymous ids without a user. */
  async countPersons(events: readonly ParsedEvent[], sizes = WHOLE): Promise<PersonDeltas> {
    const read = bundlesOf(events, sizes);
    const ids = await runBundles(this.anonymousDays, read);
    const ofIds = await this.inBundles(ids, sizes, (bundle) => this.anonymousLedger.bundle(bundle));
    const contributions = ofIds.flatMap((output) => output.contribution ?? []);
    const days = await runBundles(this.userDays, read);
    // A runner may process both in any order; every second time, contributions come first.
    const updates = this.calls++ % 2 === 0 ? [...days, ...contributions] : [...contributions, ...days];
    const ofUsers = await this.inBundles(updates, sizes, (bundle) => this.userLedger.bundle(bundle));
    const all = [...ofUsers, ...ofIds.flatMap((output) => output.deltas ?? [])];
    return { days: all.flatMap(({ days }) => days), weeks: all.flatMap(({ weeks }) => weeks) };
  }

  /** The versions of the retention of cohorts after these changes. */
  async totalCohorts(deltas: readonly RetentionDelta[], sizes = WHOLE): Promise<RetentionVersion[]> {
    const sums = bundlesOf(deltas, sizes).flatMap((bundle) => {
      const sums = new RetentionSums();
      for (const delta of bundle) sums.add(delta);
      return sums.drain().map(encodeCohortDeltas);
    });
    return this.inBundles(sums, sizes, (bundle) => this.retentionTotals.bundle(bundle));
  }

  /** What the record of accepted events gains by events. */
  async recordAccepted(events: readonly ParsedEvent[], sizes = WHOLE): Promise<AcceptedIds[]> {
    const hashes = await runBundles(new CollectHashes(), bundlesOf(events, sizes));
    const output: AcceptedIds[] = [];
    for (const bundle of bundlesOf(hashes, sizes)) {
      output.push(...(await runBundle(new MergeHashes(), await this.acceptedLedger.bundle(bundle))));
    }
    return output;
  }

  /** The versions of the totals after these changes. */
  async totalDays(deltas: readonly DayDelta[], sizes = WHOLE): Promise<DayVersion[]> {
    const sums = await runBundles(new SumDeltas(), bundlesOf(deltas, sizes));
    return this.inBundles(sums, sizes, (bundle) => this.dayTotals.bundle(bundle));
  }

  private async inBundles<I, O>(
    elements: readonly I[],
    sizes: readonly number[],
    run: (bundle: I[]) => Promise<O[]>,
  ): Promise<O[]> {
    const output: O[] = [];
    for (const bundle of bundlesOf(elements, sizes)) output.push(...(await run(bundle)));
    return output;
  }
}
