/** `npm run bench:zone`: what the day of an event costs, in UTC and in a time zone. */
import yargs from "yargs";
import { dayOf } from "@eventlogger/events/day";
import { TimeZone } from "@eventlogger/events/zone/timeZone";
import { localDates } from "@eventlogger/traffic/localDates";
import { createRandom } from "@eventlogger/traffic/generator/random";
import { readOptions, wholeNumber, yargsOptions, type OptionSpecs } from "@eventlogger/options/options";
import { timeZoneProblem } from "@eventlogger/events/zone/zoneName";
import { machine, median } from "../report";
import { runBenchmark } from "../runBenchmark";

const benchOptions = {
  count: {
    type: "number",
    describe: "Number of times whose days are computed in each round.",
    default: 2_000_000,
    check: wholeNumber(1000, 100_000_000),
  },
  rounds: { type: "number", describe: "Number of rounds.", default: 5, check: wholeNumber(1, 1000) },
  timeZone: {
    type: "string",
    describe: "Time zone, as an IANA name such as Europe/Berlin.",
    default: "Europe/Berlin",
    check: timeZoneProblem,
  },
} as const satisfies OptionSpecs;

const DAY_MS = 86_400_000;
/** How far back the times go, in days: events of today, of two years, and of all years that are accepted by default. */
const SPANS = { "one day": 1, "two years": 730, "16 years": 16 * 365 };
/** Only one of this number of times is computed by Intl, which is slow. */
const INTL_SHARE = 50;

/** Nanoseconds of a call. The sum keeps the engine from leaving the calls out. */
function nsPerCall(times: Float64Array, compute: (ms: number) => number): number {
  let sum = 0;
  const start = process.hrtime.bigint();
  for (const time of times) sum += compute(time);
  const ns = Number(process.hrtime.bigint() - start) / times.length;
  return Number.isNaN(sum) ? NaN : ns;
}

runBenchmark("bench-zone", async () => {
  const flags = yargs(process.argv.slice(2))
    .scriptName("npm run bench:zone --")
    .usage("$0 [options]\n\nMeasures the computation of days of a time zone.")
    .options(yargsOptions(benchOptions))
    .strict()
    .version(false)
    .parseSync();
  const { count, rounds, timeZone } = readOptions(benchOptions, flags);
  console.log(`${machine()}, tz database ${process.versions.tz}`);
  const zone = TimeZone.of(timeZone);
  const dateOf = localDates(timeZone);
  const ways: Record<string, (ms: number) => number> = {
    "UTC, without a zone": dayOf,
    "TimeZone of UTC": (ms) => TimeZone.UTC.dayOf(ms),
    [`TimeZone of ${timeZone}`]: (ms) => zone.dayOf(ms),
    [`Intl, ${timeZone}`]: (ms) => dateOf(ms).length,
  };
  const random = createRandom(1);
  const now = Date.now();
  for (const [span, days] of Object.entries(SPANS)) {
    const times = Float64Array.from({ length: count }, () => Math.floor(now - random.float() * days * DAY_MS));
    for (const [name, compute] of Object.entries(ways)) {
      const some = name.startsWith("Intl") ? times.subarray(0, Math.ceil(count / INTL_SHARE)) : times;
      nsPerCall(some, compute); // compiles it, and fills the table
      const ns = median(Array.from({ length: rounds }, () => nsPerCall(some, compute)));
      console.log(`${span.padEnd(10)} ${name.padEnd(30)} ${ns.toFixed(1).padStart(8)} ns per call`);
    }
  }
});
