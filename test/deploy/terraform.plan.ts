import assert from "node:assert/strict";
import { tables } from "@eventlogger/gcp/bigquery/tables";
import { views } from "@eventlogger/gcp/bigquery/views";
import { PlanFolder, type PlannedResource } from "./testing/plan";

const PROJECT = "my-project";
const VARIABLES = { project: PROJECT, region: "europe-west1" };

describe("Plan of the Terraform module with the schemas of Google's provider", function () {
  this.timeout(600_000);
  let folder: PlanFolder;
  let planned: readonly PlannedResource[];
  before(async () => {
    folder = await PlanFolder.create();
    planned = await folder.plan(VARIABLES);
  });
  after(() => folder?.remove());
  const ofType = (type: string): readonly PlannedResource[] => planned.filter((resource) => resource.type === type);

  it("the module is formatted and valid: every attribute, block and reference exists", async () => {
    await folder.run("fmt", "-check", "-diff");
    assert.match(await folder.run("validate"), /Success/);
  });

  it("an attribute that the provider does not have, and one that is missing, are found", async () => {
    folder.write("wrong.tf", 'resource "google_pubsub_topic" "wrong" {\n  nmae = "x"\n}\n');
    try {
      const { message } = (await folder.run("validate").catch((error: unknown) => error)) as Error;
      assert.match(message, /"nmae" is not expected here/);
      assert.match(message, /argument "name" is required/);
    } finally {
      folder.write("wrong.tf", "");
    }
  });

  it("the plan creates every table and view, whose queries name the project and the dataset", () => {
    const found = ofType("google_bigquery_table");
    assert.deepEqual(
      found.map(({ values }) => values["table_id"]).sort(),
      [...tables, ...views].map(({ name }) => name).sort(),
    );
    for (const view of views) {
      const { values } = found.find((resource) => resource.values["table_id"] === view.name) ?? {};
      const [{ query } = { query: undefined }] = (values?.[view.materializedFrom ? "materialized_view" : "view"] ??
        []) as { query?: string }[];
      assert.equal(query, view.query(PROJECT, "analytics").trim(), view.name);
    }
    for (const table of tables) {
      const { values } = found.find((resource) => resource.values["table_id"] === table.name) ?? {};
      assert.deepEqual(
        JSON.parse(String(values?.["schema"])),
        table.columns.map((column) => ({ ...column })),
      );
      assert.deepEqual(values?.["clustering"] ?? [], table.clusterBy ?? []);
    }
  });

  it("with materialized_views=false all views are plain ones, and without schedules there are no jobs", async () => {
    const other = await folder.plan({
      ...VARIABLES,
      materialized_views: "false",
      refresh_schedule: "",
      verify_schedule: "",
      public: "false",
    });
    const viewNames = new Set(views.map(({ name }) => name));
    for (const { type, values } of other) {
      if (type === "google_bigquery_table" && viewNames.has(String(values["table_id"])))
        assert.equal((values["view"] as unknown[]).length, 1);
    }
    assert.deepEqual(
      other.map(({ type }) => type).filter((type) => /job|service_iam/.test(type)),
      [],
    );
  });

  it("each service account gets exactly its roles on the project and the dataset", () => {
    const grants = (type: string): string[] =>
      ofType(type).map(({ address, values }) => `${address} ${String(values["role"])}`);
    assert.equal(grants("google_project_iam_member").length, 7);
    assert.equal(grants("google_bigquery_dataset_iam_member").length, 4);
    assert.deepEqual(
      ofType("google_pubsub_subscription_iam_member").map(({ values }) => values["member"]),
      ["serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"],
    );
  });

  it("ingest has the settings, key files and probes of the module", () => {
    const [service] = ofType("google_cloud_run_v2_service");
    const [template] = service?.values["template"] as { containers: Record<string, unknown>[]; volumes: object[] }[];
    const [container] = template?.containers ?? [];
    const env = (container?.["env"] as { name: string; value: string }[]).map(({ name, value }) => `${name}=${value}`);
    assert.deepEqual(env.sort(), [
      "DATASET=analytics",
      "DRAIN_TIMEOUT=8s",
      `PROJECT=${PROJECT}`,
      "PUBLISH_TIMEOUT=7s",
      "READ_KEYS_FILE=/run/secrets/read-keys/keys",
      "TOPIC=events",
      "TRUSTED_PROXIES=169.254.0.0/16",
      "WRITE_KEYS_FILE=/run/secrets/write-keys/keys",
    ]);
    assert.equal(template?.volumes.length, 2);
  });

  it("the scheduler starts the commands refresh and verify", () => {
    const commands = ofType("google_cloud_run_v2_job").map(({ values }) => {
      const [outer] = values["template"] as { template: { containers: { args: string[] }[] }[] }[];
      return outer?.template[0]?.containers[0]?.args.join(" ");
    });
    assert.deepEqual(commands.sort(), [
      "exec node node_modules/@eventlogger/pipeline/dist/cli/main.js verify --project my-project --dataset analytics --since $(date --utc --date '3 days ago' +%F)",
      "refresh --project my-project --dataset analytics",
    ]);
    assert.deepEqual(
      ofType("google_cloud_scheduler_job")
        .map(({ values }) => values["schedule"])
        .sort(),
      ["*/10 * * * *", "10 3 * * *"].sort(),
    );
  });
});
