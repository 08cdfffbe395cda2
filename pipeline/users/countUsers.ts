import "@eventlogger/beam/sdk";
import { flatten, P, withName, type PCollection } from "apache-beam";
import { GeneralObjectCoder } from "apache-beam/coders/js_coders";
import type { PTransform } from "apache-beam/transforms/transform";
import type { KV } from "apache-beam/values";
import { bundleParDo, pipe, statefulParDo, withKvCoder } from "@eventlogger/beam";
import type { CountRules, PersonDeltas } from "@eventlogger/events/persons/personDeltas";
import { bytesKvCoder } from "../byteEncoding";
import type { ParsedEvent } from "../parse/parsedEvent";
import { CollectAnonymousDays } from "../persons/anonymousDays";
import { anonymousLedger } from "../persons/anonymousLedger";
import type { KeyedDays } from "../persons/collectDays";
import { sumPersonDeltas, type PersonSums } from "../persons/sumPersonDeltas";
import { CollectUserDays } from "./userDays";
import { UserLedger } from "./userLedger";

export interface CountUsersOptions extends CountRules {
  /** See `IdHash`. */
  readonly shardHashSecret: string | undefined;
  /** IANA name of the zone whose days count. */
  readonly timeZone: string;
  /** Whether a worker leaves out pairs of id and day that it has already sent to the ledger; see `CountedDays`. */
  readonly skipsCounted: boolean;
}

/**
 * Counts persons: users, and anonymous ids without a user. The outputs are the changes of the counts, keyed by day and by cohort week. Its
 * name and those of its steps are older than anonymous ids, and must not change.
 */
export function countUsers(options: CountUsersOptions): PTransform<PCollection<ParsedEvent>, PersonSums> {
  const { shardHashSecret, timeZone, skipsCounted, countBots } = options;
  const rules = { countBots };
  return withName("CountUsers", (events: PCollection<ParsedEvent>) => {
    const anonymousDays = pipe(
      events,
      bundleParDo("AnonymousDays", new CollectAnonymousDays(shardHashSecret, skipsCounted, timeZone), bytesKvCoder),
      withKvCoder("ByAnonymousId", bytesKvCoder),
    );
    const ofAnonymousIds = pipe(anonymousDays, anonymousLedger(rules));
    const contributions = pipe(ofAnonymousIds.main, withKvCoder("ContributionsByUser", bytesKvCoder));
    const userDays = pipe(
      events,
      bundleParDo("UserDays", new CollectUserDays(shardHashSecret, skipsCounted, timeZone), bytesKvCoder),
      withKvCoder("ByBucket", bytesKvCoder),
    );
    const users = pipe(
      P([userDays, contributions]).apply(withName("AllUserDays", flatten<KeyedDays>())),
      statefulParDo("UserLedger", new UserLedger(rules), {
        input: bytesKvCoder,
        output: new GeneralObjectCoder<PersonDeltas>(),
      }),
    );
    const ofUsers = pipe(users, sumPersonDeltas("UserDeltas"));
    const ofOthers = pipe(ofAnonymousIds.deltas, sumPersonDeltas("AnonymousDeltas"));
    const all = (name: string, of: keyof PersonSums) =>
      P([ofUsers[of], ofOthers[of]]).apply(withName(name, flatten<KV<string, string>>()));
    return { days: all("AllDayDeltas", "days"), weeks: all("AllWeekDeltas", "weeks") };
  });
}
