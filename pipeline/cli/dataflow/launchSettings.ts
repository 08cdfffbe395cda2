import type { LaunchSettings } from "../../runners/dataflow/preflight/recordSettings";
import type { LaunchOptions } from "./launchOptions";
import { rebuildOnDataflow } from "./lostState";

/** The definitions of a launch or an update. */
export function settingsOf(o: LaunchOptions, { update }: { readonly update: boolean }): LaunchSettings {
  const { project, dataset, subscription, bigqueryEndpoint, sessionGap: sessionGapMs, timeZone, countBots } = o;
  return {
    ...{ project, dataset, subscription, bigqueryEndpoint, sessionGapMs, timeZone, countBots, update },
    rebuildCommand: rebuildOnDataflow(o, { sessionGapMs, timeZone, countBots }),
  };
}
