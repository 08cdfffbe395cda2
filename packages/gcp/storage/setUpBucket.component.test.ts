import assert from "node:assert/strict";
import { GoogleApi } from "../api/googleApi";
import { startFakeGoogle, type FakeGoogle } from "../testing/fakeGoogle";
import { googleError } from "../testing/fakeServer";
import { setUpBucket } from "./setUpBucket";

describe("setUpBucket", () => {
  let google: FakeGoogle;
  let before: NodeJS.ProcessEnv;
  let api: GoogleApi;
  beforeEach(async () => {
    google = await startFakeGoogle();
    before = { ...process.env };
    Object.assign(process.env, google.env);
    api = new GoogleApi(google.project, [10]);
  });
  afterEach(async () => {
    process.env = before;
    await google.stop();
  });
  const options = { project: "fake-project", bucket: "new-bucket" };

  it("creates a bucket without public access, ACLs or soft delete, and reports it as existing the second time", async () => {
    const created = await setUpBucket(api, { ...options, location: "europe-west1" });
    assert.deepEqual(created, {
      kind: "bucket",
      name: "gs://new-bucket",
      outcome: "created",
      detail: "in europe-west1",
    });
    assert.deepEqual(google.storage.buckets.get("new-bucket"), {
      name: "new-bucket",
      location: "EUROPE-WEST1",
      iamConfiguration: { uniformBucketLevelAccess: { enabled: true }, publicAccessPrevention: "enforced" },
      softDeletePolicy: { retentionDurationSeconds: "0" },
    });
    assert.equal(google.server.requestsTo(/^POST \/storage/)[0]?.query.get("project"), "fake-project");
    const again = await setUpBucket(api, { ...options, location: "europe-west1" });
    assert.deepEqual(again, { kind: "bucket", name: "gs://new-bucket", outcome: "exists" });
  });

  it("reports the differences of an existing bucket, and updates what can be changed with updateExisting", async () => {
    google.storage.buckets.set("new-bucket", {
      name: "new-bucket",
      location: "US",
      softDeletePolicy: { retentionDurationSeconds: "604800" },
      lifecycle: { rule: [{ action: { type: "Delete" }, condition: { age: 30 } }] },
    });
    const changeable = ["access is also controlled by object ACLs", "deleted objects are kept, and billed, for 7 days"];
    const permanent = [
      "a lifecycle rule deletes objects, but a streaming job needs its staged files as long as it runs",
      "located in US, which cannot be changed",
    ];
    const left = await setUpBucket(api, { ...options, location: "EU" });
    assert.deepEqual([left.outcome, left.differences], ["exists", [...changeable, ...permanent]]);
    assert.equal(google.server.requestsTo(/^PATCH/).length, 0);
    const changed = await setUpBucket(api, { ...options, location: "EU", updateExisting: true });
    assert.deepEqual([changed.outcome, changed.differences], ["updated", permanent]);
    assert.deepEqual((await setUpBucket(api, { ...options, location: "EU" })).differences, permanent);
  });

  it("reports a bucket as existing when another process has just created it", async () => {
    google.storage.buckets.set("new-bucket", { name: "new-bucket", location: "EU" });
    google.server.fail({ match: /^GET \/storage\/v1\/b\/new-bucket/, answer: googleError(404, "not yet"), times: 1 });
    assert.equal((await setUpBucket(api, options)).outcome, "exists");
  });

  it("names the permission that is missing to create a bucket", async () => {
    google.storage.denied.add("storage.buckets.create");
    await assert.rejects(
      setUpBucket(api, options),
      /Cannot create bucket gs:\/\/new-bucket in project fake-project.*storage\.buckets\.create/s,
    );
  });

  it("explains that a bucket it cannot read may belong to another project", async () => {
    google.storage.buckets.set("new-bucket", { name: "new-bucket" });
    google.storage.denied.add("storage.buckets.get");
    await assert.rejects(setUpBucket(api, options), /storage\.buckets\.get.*another project.*--bucket/s);
  });
});
