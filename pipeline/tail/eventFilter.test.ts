import assert from "node:assert/strict";
import { event } from "@eventlogger/gcp/bigquery/testing/rows";
import { isSelective, passes } from "./eventFilter";

describe("the filter of eventlogger tail", () => {
  const view = event({ event_time: 0, event_name: "view", user_id: "u-1", country: null, page: "/cart/1" });

  it("passes events that have one of the values of each field", () => {
    assert.ok(passes(view, {}));
    assert.ok(passes(view, { event_name: ["buy", "view"], user_id: ["u-1"], country: [] }));
    assert.ok(!passes(view, { event_name: ["view"], user_id: ["u-2"] }));
    assert.ok(!passes(view, { event_name: ["vie"] }));
  });

  it("takes `*` at the end of a value for any text, and never matches a field without a value", () => {
    assert.ok(passes(view, { page: ["/cart/*"] }));
    assert.ok(!passes(view, { page: ["/car*t/"] }));
    assert.ok(!passes(view, { country: ["*"] }));
  });

  it("is selective only with values", () => {
    assert.deepEqual([{}, { page: [] }, { page: ["/"] }].map(isSelective), [false, false, true]);
  });
});
