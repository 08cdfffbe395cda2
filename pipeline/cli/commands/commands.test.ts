import assert from "node:assert/strict";
import { flagName } from "@eventlogger/options/options";
import { commands } from "./commands";

describe("the commands of eventlogger", () => {
  for (const entry of commands) {
    const { name } = entry;
    it(`${name} names every choice of its enum options in their descriptions, and accepts their defaults`, async () => {
      const { options } = await entry.load();
      for (const [key, spec] of Object.entries(options)) {
        if (spec.type !== "enum") continue;
        for (const choice of spec.choices) assert.ok(spec.describe.includes(choice), `${flagName(key)}: ${choice}`);
        assert.ok(spec.default === undefined || spec.choices.includes(spec.default), flagName(key));
      }
    });

    it(`${name} has examples with its own name and its own options, each with its effect`, async () => {
      const { options, examples } = await entry.load();
      const flags = new Set(
        Object.keys(options).flatMap((key) => [flagName(key), flagName(key).replace("--", "--no-")]),
      );
      assert.ok(examples.length > 0);
      for (const [line, effect] of examples) {
        assert.match(line, new RegExp(`\\$0 ${name}( |$)`));
        assert.notEqual(effect, "");
        for (const [flag] of line.matchAll(/--[a-z-]+/g)) assert.ok(flags.has(flag), `${name}: ${flag}`);
      }
    });
  }
});
