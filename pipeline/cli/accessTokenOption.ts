import type { OptionSpecs } from "@eventlogger/options/options";

/** The option of commands that talk to worker pools. */
export const accessTokenOption = {
  beamAccessTokenFile: {
    type: "string",
    describe:
      "File with the access token of the Flink cluster. Without it, the token is read from the variable BEAM_ACCESS_TOKEN",
    optional: true,
    group: "Flink cluster:",
  },
} as const satisfies OptionSpecs;
