import type { Measure } from "../view/view";

export const MEASURE_LABELS: Readonly<Record<Measure, string>> = {
  events: "Events",
  sessions: "Sessions",
  users: "Users",
};
