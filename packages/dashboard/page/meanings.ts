import { el } from "./elements";

const MEANINGS = [
  ["User", "a user id, or an anonymous id that was never seen with one."],
  ["User days", "the users of each day, added up: a user who was active on two days counts twice."],
  [
    "Session",
    "events of one session id that are less than the session gap apart. A session across midnight counts on both days.",
  ],
  ["Session duration", "from the first to the last event of a session, on average over all sessions of the range."],
  ["Changes", "against the period before. Averages and changes leave out today, because it is not over."],
  ["–", "not known exactly: sessions and users of several values cannot be added up."],
] as const;

/** What the numbers of the page mean, at its end. */
export function meanings(): HTMLElement {
  const list = el("dl", {}, ...MEANINGS.flatMap(([term, text]) => [el("dt", {}, term), el("dd", {}, text)]));
  return el("details", { class: "meanings" }, el("summary", {}, "What the numbers mean"), list);
}
