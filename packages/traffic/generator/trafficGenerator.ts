import { dayFromIso } from "@eventlogger/events/day";
import type { EventInput } from "@eventlogger/events/event";
import { fnv1a } from "@eventlogger/events/hash";
import { BOT_SESSION_PREFIX } from "./bots";
import { DelayQueue } from "./delayQueue";
import { sessionDevice } from "./devices";
import { eventContent, sessionContent } from "./eventContent";
import { Population } from "./population";
import { createRandom, type Random } from "./random";
import { liveSlot, midnightSlot, recentSlot, slotOnDay, startInSlot, type Slot } from "./sessionPlacement";
import { bridgeShape, eventCount, gapEdgeShape, plainShape, type SessionShape } from "./sessionShapes";
import { PERSON_DEFAULTS, trafficOptions, type TrafficOptions } from "./trafficOptions";

/** A repeated event follows within this many events, like a retry of an app, or as late as a late event. */
const QUICK_REPEAT = 20;

/** Chooses the shape and the time of a session. Sessions on old days and live sessions do not cross midnight. */
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

/** The approximate number of sessions with a user that are still to come. */
function sessionsLeft(options: TrafficOptions, scheduled: number): number {
  const firstTimes = (options.count - scheduled) * (1 - options.duplicateShare);
  return (firstTimes / options.eventsPerSession) * (1 - options.anonymousShare);
}

/**
 * Generates realistic traffic: events as an app would POST them, in the order of sending. It contains late, repeated,
 * shuffled and old events, sessions across midnight, events that join two sessions, and events exactly the session gap apart.
 * Deterministic: the same options with the same `now` give the same events. Other options give other event and session ids,
 * so runs do not collide. User ids are the same in all runs.
 * @throws RangeError for an invalid option
 */
export function generateTraffic(given: Partial<TrafficOptions> = {}): Generator<EventInput, void, void> {
  return traffic(trafficOptions(given));
}

/** The options by which runs differ. Those of anonymous ids and bots only when they are set: see {@link PERSON_DEFAULTS}. */
function identityOf(options: TrafficOptions): Partial<TrafficOptions> {
  const isDefault = ([name, value]: [string, unknown]): boolean =>
    Object.entries(PERSON_DEFAULTS).some(([other, unset]) => other === name && unset === value);
  return Object.fromEntries(Object.entries(options).filter((option) => !isDefault(option)));
}

function* traffic(options: TrafficOptions): Generator<EventInput, void, void> {
  const startedAt = typeof options.now === "number" ? options.now : options.now();
  const hash = fnv1a(JSON.stringify({ ...identityOf(options), count: String(options.count), now: startedAt }));
  const runId = `${options.seed.toString(36)}-${hash.toString(36)}`;
  const random = createRandom(hash);
  const population = new Population(random, options.users);
  const repeatChance = options.duplicateShare / (1 - options.duplicateShare);
  const queue = new DelayQueue<EventInput>();
  // Events scheduled so far: the clock for delays.
  let scheduled = 0;

  const soon = (): number => scheduled + random.int(options.shuffleWindow + 1);
  const late = (): number => scheduled + options.shuffleWindow + options.lateBy + random.int(options.lateBy + 1);
  const send = (due: number, event: EventInput): void => {
    if (scheduled === options.count) return;
    scheduled++;
    queue.add(due, event);
    if (scheduled === options.count || !random.chance(repeatChance)) return;
    scheduled++;
    queue.add(random.chance(0.5) ? due + 1 + random.int(QUICK_REPEAT) : late(), event);
  };

  for (let sessions = 0, events = 0, sent = 0; sent < options.count;) {
    const event = queue.take(scheduled < options.count ? scheduled : Infinity);
    if (event !== undefined) {
      sent++;
      yield event;
      continue;
    }
    const { shape, slot } = planSession(random, options, scheduled / options.count);
    const userId = random.chance(options.anonymousShare) ? null : population.next(sessionsLeft(options, scheduled));
    const device = sessionDevice(random, options, userId, shape.offsets.length);
    const isBot = options.botShare > 0 && random.chance(options.botShare);
    const sessionId = `${isBot ? BOT_SESSION_PREFIX : ""}s-${runId}-${sessions++}`;
    const session = sessionContent(random, sessionId, userId);
    const start = startInSlot(random, slot, shape.offsets);
    let bridge: EventInput | undefined;
    shape.offsets.forEach((offset, i) => {
      const time = start + offset;
      if (time < slot.from || time > slot.to) return;
      const next = eventContent(random, session, `e-${runId}-${events++}`, time);
      if (device !== undefined) {
        next.anonymous_id = device.anonymousId;
        if (i < device.loginAt) delete next.user_id;
      }
      if (i === shape.bridge) bridge = next;
      else send(random.chance(options.lateShare) ? late() : soon(), next);
    });
    // Sent after both sessions that it joins.
    if (bridge !== undefined) send(late(), bridge);
  }
}
