/**
 * States of a Dataflow job (https://cloud.google.com/dataflow/docs/reference/rest/v1b3/projects.jobs#JobState). Unknown
 * states, of a later version of the API, are passed through.
 */
const STATES = {
  JOB_STATE_UNKNOWN: { name: "unknown", ended: false },
  JOB_STATE_STOPPED: { name: "stopped", ended: false },
  JOB_STATE_PENDING: { name: "pending", ended: false },
  JOB_STATE_QUEUED: { name: "queued", ended: false },
  JOB_STATE_RUNNING: { name: "running", ended: false },
  JOB_STATE_PAUSING: { name: "pausing", ended: false },
  JOB_STATE_PAUSED: { name: "paused", ended: false },
  JOB_STATE_DRAINING: { name: "draining", ended: false },
  JOB_STATE_CANCELLING: { name: "cancelling", ended: false },
  JOB_STATE_RESOURCE_CLEANING_UP: { name: "cleaning up", ended: false },
  JOB_STATE_DONE: { name: "done", ended: true },
  JOB_STATE_FAILED: { name: "failed", ended: true },
  JOB_STATE_CANCELLED: { name: "cancelled", ended: true },
  JOB_STATE_UPDATED: { name: "updated", ended: true },
  JOB_STATE_DRAINED: { name: "drained", ended: true },
} as const;

type KnownState = keyof typeof STATES;

/** A state by its name in the API, such as `JOB_STATE_RUNNING`. */
export type JobState = KnownState | (string & {});

const known = (state: JobState): (typeof STATES)[KnownState] | undefined =>
  state in STATES ? STATES[state as KnownState] : undefined;

/** Whether this state is terminal. */
export function hasEnded(state: JobState): boolean {
  return known(state)?.ended ?? false;
}

/** Whether a job in this state can be updated. Jobs that drain or have ended cannot. */
export function canBeUpdated(state: JobState): boolean {
  return state === "JOB_STATE_RUNNING";
}

/** Whether a job in this state reads and processes messages. A job that drains or is cancelled reads no more. */
export function isProcessing(state: JobState): boolean {
  return state === "JOB_STATE_RUNNING";
}

/** Whether the end of a job was requested, or it has ended. */
export function isEnding(state: JobState): boolean {
  return hasEnded(state) || state === "JOB_STATE_DRAINING" || state === "JOB_STATE_CANCELLING";
}

/** A readable name, such as `running`. */
export function stateName(state: JobState): string {
  return known(state)?.name ?? state.replace(/^JOB_STATE_/, "").toLowerCase();
}
