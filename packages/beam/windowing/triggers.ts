/**
 * Triggers, as the Beam model defines them (`beam_runner_api.proto`, message Trigger).
 *
 * The early and late triggers of {@link afterWatermark} are once-triggers, without {@link repeatedly}: the runner repeats
 * them, and Flink throws a ClassCastException for a repeated one.
 */
import "../sdk";
import type * as runnerApi from "apache-beam/proto/beam_runner_api";

type Trigger = runnerApi.Trigger;

/** Fires when the watermark passes the end of the window, then for each late element. */
export function defaultTrigger(): Trigger {
  return { trigger: { oneofKind: "default", default: {} } };
}

/** Fires for each element. */
export function always(): Trigger {
  return { trigger: { oneofKind: "always", always: {} } };
}

/** Fires once, when the pane has at least `count` elements. */
export function afterCount(count: number): Trigger {
  return { trigger: { oneofKind: "elementCount", elementCount: { elementCount: count } } };
}

/** Fires once, `delayMs` of processing time after the first element of the pane. */
export function afterProcessingTime(delayMs: number): Trigger {
  return {
    trigger: {
      oneofKind: "afterProcessingTime",
      afterProcessingTime: {
        timestampTransforms: [{ timestampTransform: { oneofKind: "delay", delay: { delayMillis: BigInt(delayMs) } } }],
      },
    },
  };
}

/** Fires whenever the trigger fires, forever. */
export function repeatedly(trigger: Trigger): Trigger {
  return { trigger: { oneofKind: "repeat", repeat: { subtrigger: trigger } } };
}

/** Fires when the watermark passes the end of the window; early and late panes have triggers of their own. */
export function afterWatermark(firings: { early?: Trigger; late?: Trigger } = {}): Trigger {
  return {
    trigger: {
      oneofKind: "afterEndOfWindow",
      afterEndOfWindow: { earlyFirings: firings.early, lateFirings: firings.late },
    },
  };
}

/** Fires when the first trigger fires, then when the second one fires, and so on. */
export function afterEach(...subtriggers: Trigger[]): Trigger {
  return { trigger: { oneofKind: "afterEach", afterEach: { subtriggers: some("afterEach", subtriggers) } } };
}

/** Fires once, when every one of the triggers has fired. */
export function afterAll(...subtriggers: Trigger[]): Trigger {
  return { trigger: { oneofKind: "afterAll", afterAll: { subtriggers: some("afterAll", subtriggers) } } };
}

/** Fires once, when one of the triggers fires. */
export function afterAny(...subtriggers: Trigger[]): Trigger {
  return { trigger: { oneofKind: "afterAny", afterAny: { subtriggers: some("afterAny", subtriggers) } } };
}

/** Fires whenever `main` fires, until `until` fires: that firing is the last one. */
export function orFinally(main: Trigger, until: Trigger): Trigger {
  return { trigger: { oneofKind: "orFinally", orFinally: { main, finally: until } } };
}

/** Never fires. What remains is emitted when the window expires, which only some runners do. */
export function never(): Trigger {
  return { trigger: { oneofKind: "never", never: {} } };
}

function some(name: string, subtriggers: Trigger[]): Trigger[] {
  if (subtriggers.length === 0) throw new RangeError(`${name} needs at least one trigger`);
  return subtriggers;
}
