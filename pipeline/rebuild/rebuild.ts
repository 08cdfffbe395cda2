import { GenerationExistsError, isRunning, timeZoneOf, type Generation } from "@eventlogger/gcp/bigquery/generations";
import { UserError } from "@eventlogger/process/main";
import { isComputed, requireRows } from "./beginning";
import type { RebuildContext, RebuildReporter } from "./context";
import { newSettings, requireDefinitions, type WantedDefinitions } from "./definitions";
import { activating } from "./phases/activating";
import { catchingUp } from "./phases/catchingUp";
import { creating } from "./phases/creating";
import { replaying } from "./phases/replaying";
import { retiring } from "./phases/retiring";
import { verifying } from "./phases/verifying";
import { recordOf, type RebuildPhase, type RebuildRecord } from "./record";
import { REBUILD_TIMES, type RebuildServices, type RebuildTimes } from "./services";
import { RebuildSession } from "./session";

const WORK: Readonly<Record<RebuildPhase, (context: RebuildContext) => Promise<void>>> = {
  creating,
  replaying,
  "catching up": catchingUp,
  verifying,
  activating,
  retiring,
};

export interface RebuildRequest {
  readonly services: RebuildServices;
  readonly wanted: WantedDefinitions;
  /** What a new generation gets besides its definitions. */
  readonly newState: () => { readonly shardHashSecret: string; readonly stateFormat: number };
  readonly report: RebuildReporter;
  /** Ends the work when a person stops the command. */
  readonly signal: AbortSignal;
  readonly times?: Partial<RebuildTimes>;
}

export interface RebuildResult {
  readonly previous: number;
  readonly generation: number;
  readonly keepOld: boolean;
  readonly takeOver: boolean;
}

/** A rebuild cannot begin in this situation. Nothing was changed. */
export class RebuildRefusedError extends UserError {
  constructor(message: string) {
    super(message);
    this.name = "RebuildRefusedError";
  }
}

/** The generation with an unfinished rebuild; undefined when no rebuild is unfinished. */
export function unfinished(generations: readonly Generation[]): Generation | undefined {
  return generations.find((one) => recordOf(one) !== undefined);
}

/** @throws RebuildRefusedError when the dataset has no active generation */
export function activeGeneration(generations: readonly Generation[]): Generation {
  const active = generations.find(({ status }) => status === "active");
  if (active) return active;
  throw new RebuildRefusedError(
    "The dataset has no numbers yet, so that there is nothing to rebuild: the first `eventlogger run` or `launch` begins them",
  );
}

/**
 * Computes the next generation of the numbers beside the active one, and switches readers to it; or goes on with a rebuild that was
 * interrupted, wherever that was.
 * @throws RebuildRefusedError, RebuildRunningError, DefinitionsDifferError, RebuildWrongError, NoProgressError, RebuildLostError; the
 *   reason of the signal; Error of BigQuery, Pub/Sub or the runner. The same command then goes on.
 */
export async function rebuild(request: RebuildRequest): Promise<RebuildResult> {
  const { services, report } = request;
  const times = { ...REBUILD_TIMES, ...request.times };
  const session = await begin(request, times);
  const signal = AbortSignal.any([request.signal, session.lost]);
  const context: RebuildContext = { services, session, times, report, signal };
  try {
    const { generation } = session.generation;
    const { previous, keepOld, takeOver } = session.record;
    for (let phase = resumedPhase(session.generation, session.record); ; phase = session.record.phase as RebuildPhase) {
      report.phase(phase);
      await WORK[phase](context);
      if (phase === "retiring") return { previous, generation, keepOld, takeOver };
    }
  } finally {
    await services.driver.close();
    await session.close();
  }
}

/**
 * Where a rebuild goes on. Numbers that were compared a while ago are compared again before readers see them, because the new pipeline
 * was stopped meanwhile.
 */
function resumedPhase({ status }: Generation, { phase, keepOld }: RebuildRecord): RebuildPhase {
  if (phase === "aborting") throw new RebuildRefusedError(UNFINISHED_ABORT);
  if (status === "active") return "retiring";
  if (status === "retired" || (phase === "retiring" && !keepOld)) {
    throw new RebuildRefusedError(
      "The new generation is not active any more: another one was activated meanwhile. Remove it: `eventlogger rebuild --abort`",
    );
  }
  return phase === "verifying" || phase === "activating" ? "catching up" : phase;
}

const UNFINISHED_ABORT =
  "An abort was interrupted. Finish it first: `eventlogger rebuild --abort`. Then `eventlogger rebuild` starts again";

/** Opens the unfinished rebuild, or begins one. */
async function begin(request: RebuildRequest, times: RebuildTimes): Promise<RebuildSession> {
  const { services, wanted, newState, report } = request;
  const { store } = services;
  const generations = await store.list();
  const open = unfinished(generations);
  if (open) {
    const record = recordOf(open) as RebuildRecord;
    if (record.phase === "aborting") throw new RebuildRefusedError(UNFINISHED_ABORT);
    requireDefinitions(open, record, wanted);
    const session = await RebuildSession.open(store, times, open);
    report.say(`going on with the rebuild of generation ${open.generation} (${record.phase})`);
    return session;
  }
  const active = activeGeneration(generations);
  for (const line of await requireBeginning(services, generations, active, wanted)) report.say(line);
  await services.driver.check(active);
  const settings = newSettings(active.settings, wanted, newState());
  const record = await RebuildSession.firstRecord(store, times, {
    previous: active.generation,
    keepOld: wanted.keepOld ?? false,
    takeOver: wanted.takeOver ?? false,
    from: wanted.from ?? null,
  });
  const inherited = record.takeOver ? active.subscription : null;
  const names = (generation: number): ReturnType<typeof services.resources.names> =>
    services.resources.names(generation, inherited);
  try {
    const created = await store.create(settings, names, record);
    return await RebuildSession.open(store, times, created, record);
  } catch (error) {
    if (!(error instanceof GenerationExistsError)) throw error;
    // Another process has begun a rebuild at the same time: this tells who.
    const other = unfinished(await store.list());
    if (!other) throw error;
    return RebuildSession.open(store, times, other);
  }
}

/**
 * @returns what the new numbers will lack, for people
 * @throws RebuildRefusedError when the numbers would not be complete, or a generation is left from an earlier rebuild; RowsDeletedError,
 *   ActiveJobError
 */
export async function requireBeginning(
  { rows, driver }: Pick<RebuildServices, "rows" | "driver">,
  generations: readonly Generation[],
  active: Generation,
  { takeOver, from, acceptDeletedRows, timeZone = timeZoneOf(active.settings) }: WantedDefinitions,
): Promise<readonly string[]> {
  const kept = generations.find(({ status }) => status === "building");
  if (kept) {
    throw new RebuildRefusedError(
      `Generation ${kept.generation} is kept for a comparison. Remove it first: \`eventlogger rebuild --abort\``,
    );
  }
  const runs = await isComputed(driver, active, takeOver ?? false);
  if (takeOver && isRunning(active)) {
    throw new RebuildRefusedError(
      `--take-over is for a lost state, but ${active.lease?.holder ?? "a run"} computes generation ${active.generation}. ` +
        `Start the rebuild without it. If that run no longer exists, wait until its lease ends, at ${active.lease?.expiresAt}`,
    );
  }
  if (!takeOver && !runs) {
    throw new RebuildRefusedError(
      `No run computes the active generation ${active.generation}, and events that it has not read yet would be missing. ` +
        "Start it first: `eventlogger run` with the same options. If its state is lost: `eventlogger rebuild --take-over`",
    );
  }
  const lacks = await requireRows(rows, { acceptDeletedRows, timeZone });
  if (from === undefined) return lacks;
  const dayBefore = new Date(Date.parse(`${from}T00:00:00Z`) - 86_400_000).toISOString().slice(0, 10);
  const earlier = await rows.count({ receivedTo: dayBefore });
  const count = earlier.reduce((sum, partition) => sum + partition.rows, 0);
  if (count > 0) {
    throw new RebuildRefusedError(
      `--from ${from} would leave out ${count.toLocaleString("en")} rows that were received earlier. First days of users and total ` +
        "users depend on all rows, so that the numbers would be wrong. Delete those rows first if they must not count",
    );
  }
  return lacks;
}
