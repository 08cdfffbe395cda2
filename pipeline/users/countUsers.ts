import "@eventlogger/beam/sdk";
import { withName, type PCollection } from "apache-beam";
import { GeneralObjectCoder } from "apache-beam/coders/js_coders";
import type { PTransform } from "apache-beam/transforms/transform";
import type { KV } from "apache-beam/values";
import { bundleParDo, pipe, statefulParDo, textKvCoder, withKvCoder } from "@eventlogger/beam";
import type { DayDelta } from "@eventlogger/events/totals/totals";
import type { ParsedEvent } from "../parse/parsedEvent";
import { sumByDay } from "../totals/sumDeltas";
import { CollectUserDays } from "./userDays";
import { UserLedger } from "./userLedger";

/**
 * Counts active and new users. The output are the changes of the counts, keyed by day.
 * @param shardHashSecret key of the hash of users' shards, see `shardHash`
 */
export function countUsers(
  shardHashSecret: string | undefined,
): PTransform<PCollection<ParsedEvent>, PCollection<KV<string, string>>> {
  return withName("CountUsers", (events: PCollection<ParsedEvent>) =>
    pipe(
      events,
      bundleParDo("UserDays", new CollectUserDays(shardHashSecret), textKvCoder),
      withKvCoder("ByBucket", textKvCoder),
      statefulParDo("UserLedger", new UserLedger(), { input: textKvCoder, output: new GeneralObjectCoder<DayDelta>() }),
      sumByDay("UserDeltas"),
    ),
  );
}
