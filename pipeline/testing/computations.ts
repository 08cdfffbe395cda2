import type { KV } from "apache-beam/values";
import type { BundleDoFn } from "@eventlogger/beam";
import type { AcceptedIds } from "@eventlogger/events/accepted/acceptedIds";
import type { DayDelta, DayVersion } from "@eventlogger/events/totals/totals";
import { FIRST_GENERATION } from "@eventlogger/gcp/bigquery/generations";
import { AcceptedLedger } from "../accepted/acceptedLedger";
import { CollectHashes } from "../accepted/collectHashes";
import { MergeHashes } from "../accepted/mergeHashes";
import { UTC_NAME } from "@eventlogger/events/zone/zoneName";
import type { SessionWindows } from "../eventPipeline";
import type { ParsedEvent } from "../parse/parsedEvent";
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

/** One size larger than any input: everything is one bundle, and one pane per session. */
const WHOLE = [Number.MAX_SAFE_INTEGER];

/**
 * The DoFns of the pipeline between parsing and the sinks, in the order of eventPipeline.ts, without a runner. State is kept
 * between calls. `sizes` are the sizes of bundles and panes.
 */
export class Computations {
  private readonly sessionLedger: StatefulRun<Uint8Array, DayDelta, ReturnType<SessionLedger["states"]>>;
  private readonly userLedger = new StatefulRun(new UserLedger());
  private readonly acceptedLedger = new StatefulRun(new AcceptedLedger());
  private readonly dayTotals = new StatefulRun(new DayTotals(FIRST_GENERATION));

  private readonly userDays: CollectUserDays;

  /**
   * @param gapMs session gap, ms @param shardHashSecret see `IdHash`
   * @param sessionWindows whether sessions go through Beam's session windows first @param timeZone IANA name
   */
  constructor(
    private readonly gapMs: number,
    private readonly shardHashSecret?: string,
    private readonly sessionWindows: SessionWindows = "beam",
    private readonly timeZone = UTC_NAME,
  ) {
    this.sessionLedger = new StatefulRun(new SessionLedger(gapMs));
    this.userDays = new CollectUserDays(shardHashSecret, true, timeZone);
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

  /** Changes of the counts by the users of events. */
  async countUsers(events: readonly ParsedEvent[], sizes = WHOLE): Promise<DayDelta[]> {
    const days = await runBundles(this.userDays, bundlesOf(events, sizes));
    return this.inBundles(days, sizes, (bundle) => this.userLedger.bundle(bundle));
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
