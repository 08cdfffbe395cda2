import { httpUrl } from "@eventlogger/gcp/gcpOptions";
import { atLeast, wholeNumber, type OptionSpecs } from "@eventlogger/options/options";
import { onStopSignals } from "@eventlogger/process/stopSignals";
import type { EventInput } from "@eventlogger/events/event";
import { userAgentOf } from "@eventlogger/traffic/generator/bots";
import { generateTraffic } from "@eventlogger/traffic/generator/trafficGenerator";
import { TRAFFIC_DEFAULTS } from "@eventlogger/traffic/generator/trafficOptions";
import { INTERRUPTED } from "../exitCodes";
import { defineCommand } from "./command";
import { EventSender, type Outcome } from "@eventlogger/traffic/client/eventSender";
import { progressText, summaryText } from "@eventlogger/traffic/client/progress";
import { sendAll, type Counts } from "@eventlogger/traffic/client/sendAll";
import { colours, LiveLine } from "@eventlogger/options/terminal";

/** Maximum number of refused events that are printed. */
const SHOWN_REFUSALS = 3;

const share = (describe: string, value: number) =>
  ({
    type: "number",
    describe: `${describe}, from 0 to 1`,
    default: value,
    check: (n: number) => (n >= 0 && n <= 1 ? undefined : "must be from 0 to 1"),
    group: "Traffic:",
  }) as const;

const options = {
  url: {
    type: "string",
    describe: "URL of the ingest service. Events are sent to /event/",
    default: "http://localhost:3000",
    check: httpUrl,
    group: "Sending:",
  },
  writeKey: {
    type: "string",
    describe: "Write key, if the service requires one",
    optional: true,
    check: (key) => (/^[!-~]+$/.test(key) ? undefined : "must consist of visible ASCII characters"),
    group: "Sending:",
  },
  rate: {
    type: "number",
    describe: "Events per second; 0 sends as fast as the service accepts them",
    default: 100,
    check: (n) => (n >= 0 ? undefined : "must be 0 or more"),
    group: "Sending:",
  },
  connections: {
    type: "number",
    describe: "Number of concurrent connections",
    default: 32,
    check: wholeNumber(1, 1000),
    group: "Sending:",
  },
  retryFor: {
    type: "duration",
    describe: "How long to retry an event while the service is overloaded or unreachable",
    default: 60_000,
    check: (ms) => (ms === 0 ? undefined : atLeast(1000)(ms)),
    group: "Sending:",
  },
  count: {
    type: "number",
    describe: "Number of events, including repeated ones; 0 sends until stopped and requires --live",
    default: 10_000,
    check: wholeNumber(0, Number.MAX_SAFE_INTEGER),
    group: "Traffic:",
  },
  seed: {
    type: "number",
    describe: "Seed of the generator. The same --seed and --now generate the same events",
    default: TRAFFIC_DEFAULTS.seed,
    check: wholeNumber(0, Number.MAX_SAFE_INTEGER),
    group: "Traffic:",
  },
  now: {
    type: "string",
    describe: "Time of the latest event, ISO 8601. Default: the current time",
    optional: true,
    check: (text) =>
      Number.isNaN(Date.parse(text)) ? "must be an ISO 8601 time such as 2024-05-17T12:00:00Z" : undefined,
    group: "Traffic:",
  },
  live: {
    type: "boolean",
    describe: "Give each event the time at which it is sent",
    default: false,
    group: "Traffic:",
  },
  days: {
    type: "number",
    describe: "Number of days, up to today, over which the events are spread",
    default: TRAFFIC_DEFAULTS.days,
    check: wholeNumber(1, 3650),
    group: "Traffic:",
  },
  users: {
    type: "number",
    describe: "Number of users",
    default: TRAFFIC_DEFAULTS.users,
    check: wholeNumber(1, 100_000_000),
    group: "Traffic:",
  },
  eventsPerSession: {
    type: "number",
    describe: "Mean number of events per session",
    default: TRAFFIC_DEFAULTS.eventsPerSession,
    check: (n) => (n >= 1 ? undefined : "must be 1 or more"),
    group: "Traffic:",
  },
  anonymousShare: share("Share of sessions without a user id", TRAFFIC_DEFAULTS.anonymousShare),
  anonymousIdShare: share("Share of sessions with an anonymous id", TRAFFIC_DEFAULTS.anonymousIdShare),
  sharedDeviceShare: share(
    "Share of sessions of users with an anonymous id on a device that many users share",
    TRAFFIC_DEFAULTS.sharedDeviceShare,
  ),
  botShare: share("Share of sessions of bots, which send the user agent of one", TRAFFIC_DEFAULTS.botShare),
  duplicateShare: {
    ...share("Share of events that repeat an earlier one", TRAFFIC_DEFAULTS.duplicateShare),
    describe: "Share of events that repeat an earlier one, from 0 to 0.5",
    check: (n: number) => (n >= 0 && n <= 0.5 ? undefined : "must be from 0 to 0.5"),
  },
  lateShare: share("Share of events that are sent long after their session", TRAFFIC_DEFAULTS.lateShare),
  oldShare: share("Share of sessions on a day in 2020", TRAFFIC_DEFAULTS.oldShare),
} as const satisfies OptionSpecs;

export const generateCommand = defineCommand({
  details: "Ctrl-C stops the traffic and prints a summary. Exit code 1 if events were refused or could not be sent.",
  options,
  examples: [
    ["$0 generate", "sends 10,000 events of today at 100 per second to http://localhost:3000"],
    [
      "$0 generate --count 20000 --rate 0 --days 6 --duplicate-share 0.1",
      "sends events of six days as fast as possible",
    ],
    ["$0 generate --live --count 0 --rate 50", "sends live traffic until Ctrl-C"],
    ["$0 generate --seed 7 --now 2024-05-17T12:00:00Z", "sends the same events every time"],
  ],
  check: ({ count, live, now }) => [
    ...(count === 0 && !live ? ["--count (COUNT) 0 requires --live"] : []),
    ...(live && now !== undefined ? ["--now (NOW) cannot be combined with --live (LIVE)"] : []),
  ],
  async run({ url, writeKey, rate, connections, retryFor, count, live, now, ...traffic }) {
    const total = count === 0 ? Infinity : count;
    const moment = live ? () => Date.now() : now === undefined ? Date.now() : Date.parse(now);
    const events = generateTraffic({ ...traffic, count: total, now: moment });

    const stop = onStopSignals({ exitCode: INTERRUPTED });
    let retries = 0;
    const sender = new EventSender({
      url: new URL("event/", url.endsWith("/") ? url : `${url}/`),
      writeKey,
      connections,
      retryForMs: retryFor,
      signal: stop.signal,
      onRetry: () => retries++,
      userAgentOf: (event) => userAgentOf(event as EventInput),
    });
    const line = new LiveLine(process.stderr);
    const { red, yellow } = colours(process.stderr);
    const startedAt = performance.now();
    const elapsed = (): number => performance.now() - startedAt;
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
      if (firstFailure) process.stderr.write(`${yellow("failed")} first error: ${firstFailure}\n`);
      process.stdout.write(`${stop.signal.aborted ? "stopped: " : ""}${summaryText(counts, retries, elapsed())}\n`);
      if (stop.signal.aborted) return INTERRUPTED;
      return counts.refused + counts.failed === 0 ? 0 : 1;
    } finally {
      line.clear();
      sender.close();
      stop.dispose();
    }
  },
});
