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
