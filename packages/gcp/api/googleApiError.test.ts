import assert from "node:assert/strict";
import { GoogleApiError, missingPermission, reasonOf } from "./googleApiError";

describe("GoogleApiError", () => {
  it("names the missing permission of an HTTP 403 and tells to ask for it", () => {
    for (const [reason, permission] of [
      [
        "(abc): Current user cannot act as service account x@p-1.iam.gserviceaccount.com. Missing iam.serviceAccounts.actAs",
        "iam.serviceAccounts.actAs",
      ],
      ["Missing permissions dataflow.jobs.create.", "dataflow.jobs.create"],
      [
        "x@y.com does not have storage.objects.create access to https://storage.googleapis.com/b",
        "storage.objects.create",
      ],
      [
        "Dataflow API has not been used in project 1. Enable it by visiting https://console.developers.google.com/apis/api/x",
        undefined,
      ],
    ] as const) {
      assert.equal(missingPermission(reason), permission);
    }
    assert.match(
      new GoogleApiError("Cannot x", 403, "needs a.b.c").message,
      /^Cannot x: HTTP 403: needs a\.b\.c\nAsk .* a\.b\.c /,
    );
    assert.doesNotMatch(new GoogleApiError("Cannot x", 404, "no a.b.c").message, /Ask/);
  });

  it("gets its reason from JSON errors, OAuth errors and plain text", () => {
    assert.equal(reasonOf('{"error":{"code":404,"message":"no such job"}}'), "no such job");
    assert.equal(reasonOf('{"error":"invalid_grant","error_description":"expired"}'), "invalid_grant: expired");
    assert.equal(reasonOf("<html>502</html>"), "<html>502</html>");
    assert.equal(reasonOf(""), "no reason given");
  });
});
