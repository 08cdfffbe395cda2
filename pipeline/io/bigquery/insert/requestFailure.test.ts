import assert from "node:assert/strict";
import { judgeRequestFailure } from "./requestFailure";

describe("judgeRequestFailure", () => {
  const judge = (code: unknown, reason?: string): string =>
    judgeRequestFailure(Object.assign(new Error("x"), { code, ...(reason && { errors: [{ reason }] }) }));

  it("judgeRequestFailure says retry when the server is unreachable, busy or does not know the table yet", () => {
    for (const code of ["ECONNREFUSED", "ECONNRESET", undefined, 404, 408, 429, 502, 503, 504]) {
      assert.equal(judge(code), "retry", String(code));
    }
    assert.equal(judge(403, "rateLimitExceeded"), "retry");
    assert.equal(judge(403, "quotaExceeded"), "retry");
    assert.equal(judge(500, "backendError"), "retry");
  });

  it("judgeRequestFailure says refused or suspect when a row may be the cause", () => {
    assert.equal(judge(400, "invalid"), "refused");
    assert.equal(judge(413), "refused");
    assert.equal(judge(500, "internalError"), "suspect");
  });

  it("judgeRequestFailure says fatal when retrying cannot help", () => {
    assert.equal(judge(401), "fatal");
    assert.equal(judge(403, "accessDenied"), "fatal");
  });
});
