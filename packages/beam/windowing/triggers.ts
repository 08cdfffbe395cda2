/**
 * Triggers, as the Beam model defines them (`beam_runner_api.proto`, message Trigger).
 *
 * Early and late triggers of {@link afterWatermark} are once-triggers, written without {@link repeatedly}: the runner
 * repeats them, and a repeated one ends in a ClassCastException on Flink.
 */
import "../sdk";
import type * as runnerApi from "apache-beam/proto/beam_runner_api";

type Trigger = runnerApi.Trigger;

/** When the watermark passes the end of the window, then for each late element. */
export function defaultTrigger(): Trigger {
  return { trigger: { oneofKind: "default", default: {} } };
}

/** For each element. */
export function always(): Trigger {
  return { trigger: { oneofKind: "always", always: {} } };
}

/** When the pane has at least `count` elements. */
export function afterCount(count: number): Trigger {
  return { trigger: { oneofKind: "elementCount", elementCount: { elementCount: count } } };
}

/** `delayMs` of processing time after the first element of the pane. */
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

/** Again and again. */
export function repeatedly(trigger: Trigger): Trigger {
  return { trigger: { oneofKind: "repeat", repeat: { subtrigger: trigger } } };
}

/** When the watermark passes the end of the window, with early panes before and late panes after. */
export function afterWatermark(firings: { early?: Trigger; late?: Trigger } = {}): Trigger {
  return {
    trigger: {
      oneofKind: "afterEndOfWindow",
      afterEndOfWindow: { earlyFirings: firings.early, lateFirings: firings.late },
    },
  };
}
