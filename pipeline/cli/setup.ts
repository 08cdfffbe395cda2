import { bigqueryOptions, projectOption, pubsubOptions } from "../../config/connection";
import { setUp } from "../setup";
import { defineCommand } from "./command";
import { colours } from "./terminal";

export const setupCommand = defineCommand({
  name: "setup",
  summary: "Make topic, subscription, dataset, tables and views",
  details: "Safe to repeat: what is there stays, with its data; columns that an earlier release lacked are added.",
  options: {
    ...projectOption,
    ...pubsubOptions,
    ...bigqueryOptions,
    location: {
      type: "string",
      describe: "Where a new dataset is kept, such as EU or us-central1",
      optional: true,
      group: "Google Cloud:",
    },
  },
  examples: [
    ["$0 setup --project my-project --location EU", "everything under its default name"],
    [
      "PUBSUB_EMULATOR_HOST=127.0.0.1:8085 $0 setup --bigquery-endpoint http://127.0.0.1:9050",
      "on emulators on this machine",
    ],
  ],
  async run(options) {
    const { green, yellow, dim } = colours(process.stdout);
    const paint = { created: green, updated: yellow, exists: dim };
    for (const step of await setUp(options)) {
      const detail = step.detail ? ` (${step.detail})` : "";
      process.stdout.write(`${paint[step.outcome](step.outcome.padEnd(7))} ${step.kind} ${step.name}${detail}\n`);
    }
    return 0;
  },
});
