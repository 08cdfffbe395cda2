import { httpUrl } from "@eventlogger/gcp/gcpOptions";
import { wholeNumber, type OptionSpecs } from "@eventlogger/options/options";
import { generateTraffic } from "@eventlogger/traffic/generator/trafficGenerator";
import { TRAFFIC_DEFAULTS } from "@eventlogger/traffic/generator/trafficOptions";
import { defineCommand } from "./command";
import { EventSender, type Outcome } from "@eventlogger/traffic/client/eventSender";
import { progressText, summaryText } from "@eventlogger/traffic/client/progress";
import { sendAll, type Counts } from "@eventlogger/traffic/client/sendAll";
import { colours, LiveLine } from "@eventlogger/options/terminal";

/** Of events that the server refused, this many are shown. */
const SHOWN_REFUSALS = 3;
/** By convention 128 + SIGINT. */
const INTERRUPTED = 130;

const share = (describe: string, value: number) =>
  ({
    type: "number",
    describe: `${describe}, 0 to 1`,
    default: value,
    check: (n: number) => (n >= 0 && n <= 1 ? undefined : "must be from 0 to 1"),
    group: "Traffic:",
  }) as const;

const options = {
  url: {
    type: "string",
    describe: "Ingest service; events are posted to /event/ there",
    default: "http://localhost:3000",
    check: httpUrl,
    group: "Sending:",
  },
  writeKey: {
    type: "string",
    describe: "Write key, where the service needs one",
    optional: true,
    check: (key) => (/^[!-~]+$/.test(key) ? undefined : "must be visible ASCII characters"),
    group: "Sending:",
  },
  rate: {
    type: "number",
    describe: "Events a second; 0 is as fast as they are taken",
    default: 100,
    check: (n) => (n >= 0 ? undefined : "must be 0 or more"),
    group: "Sending:",
  },
  connections: {
    type: "number",
    describe: "Connections at a time",
    default: 32,
    check: wholeNumber(1, 1000),
    group: "Sending:",
  },
  retryFor: {
    type: "duration",
    describe: "How long an event is tried for while the service is busy or away",
    default: 60_000,
    group: "Sending:",
  },
  count: {
    type: "number",
    describe: "Number of events, repeated ones included; 0 goes on until stopped and needs --live",
    default: 10_000,
    check: wholeNumber(0, Number.MAX_SAFE_INTEGER),
    group: "Traffic:",
  },
  seed: {
    type: "number",
    describe: "Same seed (and --now), same events",
    default: TRAFFIC_DEFAULTS.seed,
    check: wholeNumber(0, Number.MAX_SAFE_INTEGER),
    group: "Traffic:",
  },
  now: {
    type: "string",
    describe: "No event is later than this moment, ISO 8601 [default: the present]",
    optional: true,
    check: (text) => (Number.isNaN(Date.parse(text)) ? "must be a time such as 2024-05-17T12:00:00Z" : undefined),
    group: "Traffic:",
  },
  live: { type: "boolean", describe: "Events happen while they are sent", default: false, group: "Traffic:" },
  days: {
    type: "number",
    describe: "Days up to today that the events are spread over",
    default: TRAFFIC_DEFAULTS.days,
    check: wholeNumber(1, 3650),
    group: "Traffic:",
  },
  users: {
    type: "number",
    describe: "Size of the population",
    default: TRAFFIC_DEFAULTS.users,
    check: wholeNumber(1, 100_000_000),
    group: "Traffic:",
  },
  eventsPerSession: {
    type: "number",
    describe: "Mean number of events a session",
    default: TRAFFIC_DEFAULTS.eventsPerSession,
    check: (n) => (n >= 1 ? undefined : "must be 1 or more"),
    group: "Traffic:",
  },
  anonymousShare: share("Share of sessions without a user", TRAFFIC_DEFAULTS.anonymousShare),
  duplicateShare: {
    ...share("Share of events that are sent again", TRAFFIC_DEFAULTS.duplicateShare),
    describe: "Share of events that repeat an earlier one, 0 to 0.5",
    check: (n: number) => (n >= 0 && n <= 0.5 ? undefined : "must be from 0 to 0.5"),
  },
  lateShare: share("Share of events that are sent much later than their session", TRAFFIC_DEFAULTS.lateShare),
  oldShare: share("Share of sessions on a day in 2020", TRAFFIC_DEFAULTS.oldShare),
} as const satisfies OptionSpecs;

export const generateCommand = defineCommand({
  name: "generate",
  summary: "Send synthetic traffic: users, sessions, late, repeated and old events",
  details: "Ctrl-C stops it and tells what was sent. Exit code 1 when events were refused or could not be sent.",
  options,
  examples: [
    ["$0 generate", "10,000 events of today at 100 a second to http://localhost:3000"],
    ["$0 generate --count 20000 --rate 0 --days 6 --duplicate-share 0.1", "as fast as they are taken, over six days"],
    ["$0 generate --live --count 0 --rate 50", "traffic as it happens, until Ctrl-C"],
    ["$0 generate --seed 7 --now 2024-05-17T12:00:00Z", "the same events every time"],
  ],
  check: ({ count, live, now }) => [
    ...(count === 0 && !live ? ["--count (COUNT) may be 0 only with --live: events of the past are finite"] : []),
    ...(live && now !== undefined ? ["--now (NOW) and --live exclude each other"] : []),
  ],
  async run({ url, writeKey, rate, connections, retryFor, count, live, now, ...traffic }) {
    const total = count === 0 ? Infinity : count;
    const moment = live ? () => Date.now() : now === undefined ? Date.now() : Date.parse(now);
    const events = generateTraffic({ ...traffic, count: total, now: moment });

    const stop = new AbortController();
    const onSignal = (): void => stop.abort();
    process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
    let retries = 0;
    const sender = new EventSender({
      url: new URL("event/", url.endsWith("/") ? url : `${url}/`),
      writeKey,
      connections,
      retryForMs: retryFor,
      signal: stop.signal,
      onRetry: () => retries++,
    });
    const line = new LiveLine(process.stderr);
    const { red, yellow } = colours(process.stderr);
    const startedAt = Date.now();
    const elapsed = (): number => Date.now() - startedAt;
    let firstFailure: string | undefined;
    const onOutcome = (outcome: Outcome, counts: Counts): void => {
      if (outcome.kind === "refused" && counts.refused <= SHOWN_REFUSALS) {
        line.clear();
        process.stderr.write(`${red("refused")} with status ${outcome.status}: ${outcome.body.trim()}\n`);
      }
      if (outcome.kind === "failed") firstFailure ??= outcome.reason;
      line.draw(() => progressText(counts, total, retries, elapsed()));
    };
    try {
      const counts = await sendAll(events, (event) => sender.send(event), {
        rate,
        concurrency: connections,
        signal: stop.signal,
        onOutcome,
      });
      line.clear();
      if (firstFailure) process.stderr.write(`${yellow("failed")} at first with: ${firstFailure}\n`);
      process.stdout.write(`${stop.signal.aborted ? "stopped: " : ""}${summaryText(counts, retries, elapsed())}\n`);
      if (stop.signal.aborted) return INTERRUPTED;
      return counts.refused + counts.failed === 0 ? 0 : 1;
    } finally {
      line.clear();
      sender.close();
      process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
    }
  },
});
