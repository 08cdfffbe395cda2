import "@eventlogger/beam/sdk";
import { withName, type PCollection } from "apache-beam";
import { GeneralObjectCoder } from "apache-beam/coders/js_coders";
import type { PTransform } from "apache-beam/transforms/transform";
import type { KV } from "apache-beam/values";
import { bundleParDo, pipe, statefulParDo, withKvCoder } from "@eventlogger/beam";
import type { DayDelta } from "@eventlogger/events/totals/totals";
import { bytesKvCoder } from "../byteEncoding";
import type { ParsedEvent } from "../parse/parsedEvent";
import { sumByDay } from "../totals/sumDeltas";
import { CollectUserDays } from "./userDays";
import { UserLedger } from "./userLedger";

export interface CountUsersOptions {
  /** See `IdHash`. */
  readonly shardHashSecret: string | undefined;
  /** IANA name of the zone whose days count. */
  readonly timeZone: string;
  /** Whether a worker leaves out pairs of user and day that it has already sent to the ledger; see `CountedDays`. */
  readonly skipsCounted: boolean;
}

/** Counts active and new users. The output are the changes of the counts, keyed by day. */
export function countUsers({
  shardHashSecret,
  timeZone,
  skipsCounted,
}: CountUsersOptions): PTransform<PCollection<ParsedEvent>, PCollection<KV<string, string>>> {
  return withName("CountUsers", (events: PCollection<ParsedEvent>) =>
    pipe(
      events,
      bundleParDo("UserDays", new CollectUserDays(shardHashSecret, skipsCounted, timeZone), bytesKvCoder),
      withKvCoder("ByBucket", bytesKvCoder),
      statefulParDo("UserLedger", new UserLedger(), {
        input: bytesKvCoder,
        output: new GeneralObjectCoder<DayDelta>(),
      }),
      sumByDay("UserDeltas"),
    ),
  );
}
