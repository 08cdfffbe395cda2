import "../sdk";
import assert from "node:assert/strict";
import Long from "long";
import { GlobalWindowCoder, IntervalWindowCoder } from "apache-beam/coders/standard_coders";
import { GlobalWindow, IntervalWindow } from "apache-beam/values";
import { NO_FIRING } from "../dofn/context";
import { stringCoder } from "../index";
import { decode, encode } from "../testing/codec";
import { TimerCoder, type EncodedTimer } from "./timer";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

// The examples of standard_coders.yaml of the Beam model.
const EXAMPLES: readonly { hex: string; timer: EncodedTimer<string> }[] = [
  {
    hex: "036b65790374616700000001008000000000000" + "4d2800000000000162e0f",
    timer: {
      key: "key",
      tag: "tag",
      windows: [new GlobalWindow()],
      clear: false,
      fireTimestamp: Long.fromNumber(1234),
      holdTimestamp: Long.fromNumber(5678),
      pane: NO_FIRING,
    },
  },
  {
    hex: "036b657903746167" + "0000000101",
    timer: { key: "key", tag: "tag", windows: [new GlobalWindow()], clear: true },
  },
];

describe("Timer coder", () => {
  const coder = new TimerCoder(stringCoder, new GlobalWindowCoder());

  it("timers have the encoding of the Beam model, set and cleared", () => {
    for (const { hex: expected, timer } of EXAMPLES) {
      assert.equal(hex(encode(coder, [timer])), expected);
      assert.deepEqual(decode(coder, Buffer.from(expected, "hex")), timer);
    }
  });

  it("timers keep their window and times before 1970", () => {
    const windowed = new TimerCoder(stringCoder, new IntervalWindowCoder());
    const timer: EncodedTimer<string> = {
      key: "",
      tag: "",
      windows: [new IntervalWindow(Long.fromNumber(-20_000), Long.fromNumber(-10_000))],
      clear: false,
      fireTimestamp: Long.fromNumber(-10_001),
      holdTimestamp: Long.fromNumber(-15_000),
      pane: NO_FIRING,
    };
    assert.deepEqual(decode(windowed, encode(windowed, [timer])), timer);
  });
});
