import { dayFromIso } from "@eventlogger/events/day";
import type { EventInput } from "@eventlogger/events/event";
import { fnv1a } from "@eventlogger/events/hash";
import { DelayQueue } from "./delayQueue";
import { eventContent, sessionContent } from "./eventContent";
import { Population } from "./population";
import { createRandom, type Random } from "./random";
import { liveSlot, midnightSlot, recentSlot, slotOnDay, startInSlot, type Slot } from "./sessionPlacement";
import { bridgeShape, eventCount, gapEdgeShape, plainShape, type SessionShape } from "./sessionShapes";
import { trafficOptions, type TrafficOptions } from "./trafficOptions";

/** A repetition follows within this many events (an app that tries again), or as late as a late event. */
const QUICK_REPEAT = 20;

/** Chooses what a session looks like and when it is; sessions on old days and live ones cross no midnight. */
function planSession(random: Random, options: TrafficOptions, progress: number): { shape: SessionShape; slot: Slot } {
  const { now, days, gapMs, bridgeShare, gapEdgeShare, midnightShare } = options;
  const count = eventCount(random, options.eventsPerSession);
  const oldDay = random.chance(options.oldShare)
    ? dayFromIso(options.oldDays[random.int(options.oldDays.length)] ?? "")
    : undefined;
  const slot =
    oldDay !== undefined
      ? slotOnDay(random, oldDay)
      : typeof now === "function"
        ? liveSlot(Math.floor(now()))
        : recentSlot(now, days, progress);
  const kind = random.float();
  if (kind < bridgeShare) return { shape: bridgeShape(random, count, gapMs), slot };
  if (kind < bridgeShare + gapEdgeShare) return { shape: gapEdgeShape(random, count, gapMs), slot };
  const mayCross = oldDay === undefined && typeof now === "number" && days > 1;
  if (mayCross && kind < bridgeShare + gapEdgeShare + midnightShare) {
    return { shape: plainShape(random, Math.max(2, count), gapMs), slot: midnightSlot(now, days, progress) };
  }
  return { shape: plainShape(random, count, gapMs), slot };
}

/** About how many sessions with a user are to come. */
function sessionsLeft(options: TrafficOptions, made: number): number {
  const firstTimes = (options.count - made) * (1 - options.duplicateShare);
  return (firstTimes / options.eventsPerSession) * (1 - options.anonymousShare);
}

/**
 * Synthetic but realistic traffic, as events an app would POST, in the order it would send them: users and sessions,
 * late, repeated, shuffled and old events, sessions across midnight, events that join two sessions already sent, events
 * exactly the session gap apart. Deterministic: the same options (and the same `now`) give the same events; any other
 * options give other event and session ids, so that runs never collide. User ids are the same in all runs.
 * @throws RangeError when an option is wrong
 */
export function generateTraffic(given: Partial<TrafficOptions> = {}): Generator<EventInput, void, void> {
  return traffic(trafficOptions(given));
}

function* traffic(options: TrafficOptions): Generator<EventInput, void, void> {
  const startedAt = typeof options.now === "number" ? options.now : options.now();
  const hash = fnv1a(JSON.stringify({ ...options, count: String(options.count), now: startedAt }));
  const runId = `${options.seed.toString(36)}-${hash.toString(36)}`;
  const random = createRandom(hash);
  const population = new Population(random, options.users);
  const repeatChance = options.duplicateShare / (1 - options.duplicateShare);
  const queue = new DelayQueue<EventInput>();
  // Events scheduled so far: the clock that delays are measured by.
  let made = 0;

  const soon = (): number => made + random.int(options.shuffleWindow + 1);
  const late = (): number => made + options.shuffleWindow + options.lateBy + random.int(options.lateBy + 1);
  const send = (due: number, event: EventInput): void => {
    if (made === options.count) return;
    made++;
    queue.add(due, event);
    if (made === options.count || !random.chance(repeatChance)) return;
    made++;
    queue.add(random.chance(0.5) ? due + 1 + random.int(QUICK_REPEAT) : late(), event);
  };

  for (let sessions = 0, events = 0, sent = 0; sent < options.count;) {
    const event = queue.take(made < options.count ? made : Infinity);
    if (event !== undefined) {
      sent++;
      yield event;
      continue;
    }
    const { shape, slot } = planSession(random, options, made / options.count);
    const userId = random.chance(options.anonymousShare) ? null : population.next(sessionsLeft(options, made));
    const session = sessionContent(random, `s-${runId}-${sessions++}`, userId);
    const start = startInSlot(random, slot, shape.offsets);
    let bridge: EventInput | undefined;
    shape.offsets.forEach((offset, i) => {
      const time = start + offset;
      if (time < slot.from || time > slot.to) return;
      const next = eventContent(random, session, `e-${runId}-${events++}`, time);
      if (i === shape.bridge) bridge = next;
      else send(random.chance(options.lateShare) ? late() : soon(), next);
    });
    // After both of the sessions it joins.
    if (bridge !== undefined) send(late(), bridge);
  }
}
