import assert from "node:assert/strict";
import { ConfigError, type OptionSpecs } from "@eventlogger/options/options";
import { closest, readCommandLine } from "./readCommandLine";

describe("readCommandLine", () => {
  const specs = {
    rate: { type: "number", describe: "r", default: 1 },
    lateShare: { type: "number", describe: "l", default: 0 },
  } as const satisfies OptionSpecs;

  it("reads the options of a command", () => {
    const argv = { _: ["generate"], $0: "x", rate: "5", "late-share": "0.5", lateShare: "0.5" };
    assert.deepEqual(readCommandLine(specs, argv, {}), { rate: 5, lateShare: 0.5 });
  });

  it("reports unknown options, unexpected arguments and invalid values in one error", () => {
    const argv = { _: ["generate", "more"], $0: "x", ratee: "5", rate: "fast", "no-such": "1", noSuch: "1", q: true };
    assert.throws(
      () => readCommandLine(specs, argv, { LATE_SHARE: "much" }),
      (error: Error) => {
        assert.ok(error instanceof ConfigError);
        assert.deepEqual(error.problems, [
          "unknown option --ratee; did you mean --rate?",
          "unknown option --no-such",
          "unknown option -q",
          'unexpected argument "more"',
          '--rate (RATE) must be a number, not "fast"',
          '--late-share (LATE_SHARE) must be a number, not "much"',
        ]);
        return true;
      },
    );
  });
});

describe("closest", () => {
  it("finds the name that was meant, and nothing when no name is close", () => {
    const names = ["setup", "generate", "verify"];
    assert.equal(closest("verfiy", names), "verify");
    assert.equal(closest("stup", names), "setup");
    assert.equal(closest("deploy", names), undefined);
  });
});
