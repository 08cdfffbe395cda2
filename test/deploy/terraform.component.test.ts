import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bigQueryClient } from "@eventlogger/gcp/bigquery/client";
import { setUpBigQuery } from "@eventlogger/gcp/bigquery/setup/setUpBigQuery";
import { GoogleApi } from "@eventlogger/gcp/api/googleApi";
import { setUpPubSub } from "@eventlogger/gcp/pubsub/setup/setUpPubSub";
import { usePubSubEmulator } from "@eventlogger/gcp/pubsub/testing/usePubSubEmulator";
import { setUpBucket } from "@eventlogger/gcp/storage/setUpBucket";
import { FakeBigQuery } from "@eventlogger/gcp/testing/fakeBigQuery";
import { startFakeGoogle } from "@eventlogger/gcp/testing/fakeGoogle";
import { FakeServer } from "@eventlogger/gcp/testing/fakeServer";
import { ingestOptions, ingestOptionsProblems } from "@eventlogger/ingest/options";
import { readOptions } from "@eventlogger/options/options";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { deployFiles } from "@eventlogger/tools/deploy/deployFiles";
import { IMAGE_NAMES } from "@eventlogger/tools/images/assemble";
import { packageVersion } from "@eventlogger/tools/images/build";
import { parseMarkdown } from "../docs/markdown";
import { shellCommands } from "../docs/shell";
import { moduleGrants, shellGrants } from "./testing/grants";
import { readWords, scheduledCommand } from "./testing/scheduledCommand";
import {
  block,
  blocks,
  readModule,
  resolved,
  resource,
  type Body,
  type TerraformModule,
} from "./testing/terraformModule";

const PROJECT = "my-project";
const VALUES = { project: PROJECT, region: "europe-west1" };
/** Seconds until Cloud Run kills an instance after SIGTERM. */
const CLOUD_RUN_GRACE_S = 10;

const read = (file: string): string => readFileSync(join(repositoryRoot, file), "utf8");
const named = (kind: string, name: string): string => `${kind} ${name}`;

describe("Terraform module", () => {
  let module: TerraformModule;
  before(async () => {
    module = await readModule();
  });
  const plain = (name: string): Body => resolved(module, resource(module, name), VALUES) as Body;

  it("the files that the module reads are those of the tables, the views and the schema of this release", () => {
    for (const [file, text] of Object.entries(deployFiles()))
      assert.equal(read(file), text, `${file} is of another release: run npm run deploy:files`);
  });

  describe("compared with what setup sends to BigQuery", () => {
    const dataset = "analytics";
    const fake = new FakeBigQuery();
    before(async () => {
      const server = await FakeServer.start([fake.service]);
      try {
        const client = bigQueryClient({ project: PROJECT, endpoint: server.url }, { autoRetry: false });
        await setUpBigQuery(client, { dataset, materializedViews: true });
      } finally {
        await server.stop();
      }
    });

    /** The file of the tables and views, as Terraform's `templatefile` makes it. */
    function warehouse(): Readonly<Record<"tables" | "views", readonly Body[]>> {
      const text = read("deploy/terraform/warehouse.json");
      return JSON.parse(text.replaceAll("${project}", PROJECT).replaceAll("${dataset}", dataset)) as {
        tables: Body[];
        views: Body[];
      };
    }
    const sent = (name: string): Body => {
      const { tableReference, ...rest } = fake.tables.get(`${dataset}.${name}`) as Body & { tableReference: unknown };
      assert.ok(tableReference);
      return rest;
    };

    it("the module creates the tables and views that setup creates, and no others", () => {
      const { tables, views } = warehouse();
      assert.deepEqual(
        [...tables, ...views].map(({ name }) => `${dataset}.${String(name)}`).sort(),
        [...fake.tables.keys()].sort(),
      );
    });

    it("each table of the module has the columns, descriptions, partitions and clustering that setup gives it", () => {
      for (const { name, description, schema, partition_by, clustering } of warehouse().tables) {
        const expected = {
          description,
          schema: { fields: schema },
          timePartitioning: { type: "DAY", field: partition_by },
          ...(clustering !== null && { clustering: { fields: clustering } }),
        };
        assert.deepEqual(sent(String(name)), expected, String(name));
      }
      const body = plain("google_bigquery_table.tables");
      assert.equal(body["schema"], "${jsonencode(each.value.schema)}");
      assert.equal(body["description"], "${each.value.description}");
      assert.equal(body["clustering"], "${each.value.clustering}");
      assert.deepEqual(blocks(body, "time_partitioning"), [{ type: "DAY", field: "${each.value.partition_by}" }]);
    });

    it("each view of the module has the query and the description that setup gives it", () => {
      for (const { name, description, query, materialized } of warehouse().views) {
        const expected = materialized
          ? { description, materializedView: { query } }
          : { description, view: { query, useLegacySql: false } };
        // Only setup describes the columns of views: the types that must go with the descriptions are known to BigQuery alone.
        const created = Object.entries(sent(String(name))).filter(([property]) => property !== "schema");
        assert.deepEqual(Object.fromEntries(created), expected, String(name));
      }
    });

    it("a view is created after the views that it reads", () => {
      const { views } = warehouse();
      const level = new Map(views.map((view) => [String(view["name"]), Number(view["level"])]));
      for (const { name, query, level: own } of views) {
        for (const [other, otherLevel] of level) {
          if (String(query).includes(`\`${PROJECT}.${dataset}.${other}\``))
            assert.ok(otherLevel < Number(own), String(name));
        }
      }
      assert.deepEqual(resource(module, "google_bigquery_table.views_of_views")["depends_on"], [
        "${google_bigquery_table.views}",
      ]);
      assert.deepEqual(resource(module, "google_bigquery_table.views")["depends_on"], [
        "${google_bigquery_table.tables}",
      ]);
      assert.ok([...level.values()].every((one) => one === 1 || one === 2));
    });
  });

  describe("compared with what setup makes in Pub/Sub", () => {
    const emulator = usePubSubEmulator(PROJECT);
    const short = (path: unknown): string => String(path).split("/").at(-1) ?? "";
    const seconds = (duration: { seconds?: unknown } | null | undefined): number => Number(duration?.seconds ?? 0);

    interface Subscription {
      readonly topic: string;
      readonly ackDeadlineS: number;
      readonly retentionS: number;
      readonly ordered: boolean;
      readonly neverExpires: boolean;
      readonly deadLetters: string | undefined;
      readonly backoffS: readonly [number, number] | undefined;
    }

    function ofModule(body: Body): [string, Subscription] {
      const [deadLetters] = blocks(body, "dead_letter_policy");
      const [retry] = blocks(body, "retry_policy");
      return [
        String(body["name"]),
        {
          topic: String(body["topic"]),
          ackDeadlineS: Number(body["ack_deadline_seconds"]),
          retentionS: parseInt(String(body["message_retention_duration"]), 10),
          ordered: Boolean(body["enable_message_ordering"]),
          neverExpires: block(body, "expiration_policy")["ttl"] === "",
          deadLetters:
            deadLetters &&
            `${String(deadLetters["dead_letter_topic"])} ${String(deadLetters["max_delivery_attempts"])}`,
          backoffS: retry && [
            parseInt(String(retry["minimum_backoff"]), 10),
            parseInt(String(retry["maximum_backoff"]), 10),
          ],
        },
      ];
    }

    it("topics, schema and subscriptions of the module are those of setup, with the same settings", async () => {
      const { pubsub } = emulator;
      const names = { topic: "events", subscription: "events-pipeline", schema: "events" };
      await setUpPubSub(pubsub, { ...names, deadLetterTopic: "events-dead-letters" });
      const found = new Map<string, Subscription>();
      const [subscriptions] = await pubsub.getSubscriptions();
      for (const subscription of subscriptions) {
        const [metadata] = await subscription.getMetadata();
        const { deadLetterPolicy: dead, retryPolicy: retry } = metadata;
        found.set(short(subscription.name), {
          topic: short(metadata.topic),
          ackDeadlineS: Number(metadata.ackDeadlineSeconds),
          retentionS: seconds(metadata.messageRetentionDuration),
          ordered: Boolean(metadata.enableMessageOrdering),
          neverExpires: (metadata.expirationPolicy?.ttl ?? null) === null,
          deadLetters: dead ? `${short(dead.deadLetterTopic)} ${dead.maxDeliveryAttempts}` : undefined,
          backoffS: retry ? [seconds(retry.minimumBackoff), seconds(retry.maximumBackoff)] : undefined,
        });
      }
      const all = [...module.resources.keys()];
      const ofType = (type: string): Body[] => all.filter((name) => name.startsWith(`${type}.`)).map(plain);
      assert.deepEqual(new Map(ofType("google_pubsub_subscription").map(ofModule)), found);
      const topics = (await pubsub.getTopics())[0].map(({ name }) => short(name));
      assert.deepEqual(
        ofType("google_pubsub_topic")
          .map(({ name }) => String(name))
          .sort(),
        topics.sort(),
      );
      const [topic] = await pubsub.topic("events").getMetadata();
      assert.deepEqual(block(plain("google_pubsub_topic.events"), "schema_settings"), {
        schema: short(topic.schemaSettings?.schema),
        encoding: topic.schemaSettings?.encoding,
      });
      const [schema] = await (await pubsub.getSchemaClient()).getSchema({ name: topic.schemaSettings?.schema });
      assert.deepEqual([schema.type, schema.definition], ["AVRO", read("deploy/terraform/event.avsc")]);
    });
  });

  it("the bucket of the module has the settings that setup gives it", async () => {
    const google = await startFakeGoogle();
    const before = { ...process.env };
    Object.assign(process.env, google.env);
    try {
      await setUpBucket(new GoogleApi(google.project), { project: google.project, bucket: "new", location: "EU" });
    } finally {
      process.env = before;
      await google.stop();
    }
    const body = plain("google_storage_bucket.dataflow");
    assert.deepEqual(google.storage.buckets.get("new"), {
      name: "new",
      location: "EU",
      iamConfiguration: {
        uniformBucketLevelAccess: { enabled: body["uniform_bucket_level_access"] },
        publicAccessPrevention: body["public_access_prevention"],
      },
      softDeletePolicy: {
        retentionDurationSeconds: String(block(body, "soft_delete_policy")["retention_duration_seconds"]),
      },
    });
    assert.deepEqual(blocks(body, "lifecycle_rule"), []);
  });

  describe("compared with the pages", () => {
    const page = read("docs/operations/google-cloud.md");
    const { codeBlocks } = parseMarkdown(page);
    const commands = codeBlocks.find(({ text }) => text.includes("gcloud services enable"))?.text ?? "";

    it("the module and the gcloud commands make the same grants", () => {
      assert.deepEqual(shellGrants(commands), moduleGrants(module));
    });

    it("the module grants each account the roles of permissions.md, and no others", () => {
      const rows = read("docs/operations/permissions.md").split("\n");
      const rolesIn = (start: string): string[] => {
        const row = rows.find((line) => line.startsWith(`| ${start}`));
        assert.ok(row !== undefined, `permissions.md has no row ${start}`);
        return [...new Set(row.match(/roles\/[\w.]+/g))].sort();
      };
      const granted = (account: string): string[] => {
        const own = moduleGrants(module).filter((grant) => grant.startsWith(`${account} `));
        return [...new Set(own.map((grant) => grant.split(" ")[1] ?? ""))].sort();
      };
      assert.deepEqual(granted("worker"), rolesIn("workers' service account"));
      assert.deepEqual(granted("ingest"), rolesIn("ingest's service account"));
      assert.deepEqual(granted("agent"), rolesIn("Pub/Sub's service agent"));
      assert.deepEqual(granted("refresh"), rolesIn("`refresh`"));
      assert.deepEqual(granted("verify"), rolesIn("`verify`"));
      assert.deepEqual(granted("scheduler"), rolesIn("account of Cloud Scheduler"));
    });

    it("the module and the gcloud commands enable the same APIs and create the same accounts, secrets and schedules", () => {
      const words = shellCommands(commands).filter(([program]) => program === "gcloud");
      const created = words.flatMap((command) => {
        const text = command.join(" ");
        const schedule = command.find((word) => word.startsWith("--schedule="))?.slice(11);
        const [, kind = "", name = ""] =
          /^gcloud (iam service-accounts|secrets|artifacts repositories|run jobs|scheduler jobs) create (?:http )?(\S+)/.exec(
            text,
          ) ?? [];
        const [, service] = /^gcloud run deploy (\S+)/.exec(text) ?? [];
        if (service !== undefined) return [named("service", service)];
        if (kind === "") return [];
        return [named(kind, schedule === undefined ? name : `${name} ${schedule}`)];
      });
      const jobs = module.locals.get("all_jobs") as Readonly<Record<string, { schedule: string }>>;
      const expected = [
        ...Object.keys(module.locals.get("accounts") as object).map((name) =>
          named("iam service-accounts", `eventlogger-${name}`),
        ),
        ...["eventlogger-write-keys", "eventlogger-read-keys"].map((name) => named("secrets", name)),
        named("artifacts repositories", String(plain("google_artifact_registry_repository.images")["repository_id"])),
        named("service", String(plain("google_cloud_run_v2_service.ingest")["name"])),
        ...Object.keys(jobs).map((name) => named("run jobs", `eventlogger-${name}`)),
        ...Object.entries(jobs).map(([name, { schedule }]) =>
          named("scheduler jobs", `eventlogger-${name} ${String(resolved(module, schedule, VALUES))}`),
        ),
      ];
      assert.deepEqual(created.sort(), expected.sort());
      const enabled = words.find((command) => command.join(" ").startsWith("gcloud services enable")) ?? [];
      const apis = String(plain("google_project_service.apis")["for_each"]).match(/\w+\.googleapis\.com/g);
      assert.deepEqual(
        enabled.filter((word) => word.endsWith(".googleapis.com")),
        apis,
      );
    });

    it("ingest has the same settings in the module and in the gcloud commands", () => {
      const deploy = shellCommands(commands).find((words) => words.join(" ").startsWith("gcloud run deploy")) ?? [];
      const variables = deploy
        .filter((word) => /^--set-env-vars=/.test(word))
        .flatMap((word) => word.slice(word.indexOf("=") + 1).split(","))
        .map((pair) => pair.replace("$PROJECT", PROJECT));
      const expected = Object.entries(ingestSettings()).map(([name, value]) => `${name}=${value}`);
      assert.deepEqual(variables.sort(), expected.sort());
      const service = plain("google_cloud_run_v2_service.ingest");
      const container = block(block(service, "template"), "containers");
      const flag = (name: string): string | undefined =>
        deploy.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3);
      assert.equal(flag("port"), String(block(container, "ports")["container_port"]));
      assert.equal(flag("concurrency"), String(block(service, "template")["max_instance_request_concurrency"]));
      assert.equal(`${flag("timeout")}s`, block(service, "template")["timeout"]);
      assert.deepEqual(block(container, "resources")["limits"], { cpu: flag("cpu"), memory: flag("memory") });
      assert.ok(deploy.includes("--no-cpu-throttling") && block(container, "resources")["cpu_idle"] === false);
    });
  });

  /** The environment of ingest with the default variables. */
  function ingestSettings(): Record<string, string> {
    const own = resolved(module, module.locals.get("own_settings"), VALUES) as Record<string, string>;
    const keys = ["write-keys", "read-keys"].map((name) => [
      `${name.replace("-", "_").toUpperCase()}_FILE`,
      `/run/secrets/${name}/keys`,
    ]);
    return { ...own, ...(Object.fromEntries(keys) as Record<string, string>) };
  }

  it("ingest accepts the settings of the module, and is done with its requests before Cloud Run kills it", () => {
    const directory = mkdtempSync(join(tmpdir(), "cloud-run-"));
    try {
      writeFileSync(join(directory, "keys"), "a-key-of-the-test\n");
      const environment = Object.fromEntries(
        Object.entries(ingestSettings()).map(([name, value]) => [
          name,
          value.startsWith("/run/secrets/") ? join(directory, "keys") : value,
        ]),
      );
      const options = readOptions(ingestOptions, {}, { ...environment, PORT: "8080" }, ingestOptionsProblems);
      assert.equal(options.project, PROJECT);
      assert.equal(options.port, 8080);
      assert.ok(options.writeKeysFile !== undefined && options.readKeysFile !== undefined);
      assert.ok(options.publishTimeout < options.drainTimeout, "an event in flight is answered while ingest stops");
      assert.ok(options.drainTimeout < CLOUD_RUN_GRACE_S * 1000);
    } finally {
      rmSync(directory, { recursive: true });
    }
    // Cloud Run refuses a service that sets it.
    assert.ok(!("PORT" in ingestSettings()));
  });

  it("the images of the module are those that npm run images builds, in this version", () => {
    const references = [...module.resources.values()].flatMap(
      (body) => JSON.stringify(body).match(/eventlogger-\w+:\$/g) ?? [],
    );
    assert.ok(references.length >= 2);
    for (const reference of references) {
      const image = reference.slice("eventlogger-".length, -2);
      assert.ok(
        IMAGE_NAMES.some((name) => name === image),
        image,
      );
    }
    assert.equal(module.defaults.get("image_tag"), packageVersion);
  });

  it("the scheduled commands exist, with the options that they are given", () => {
    const jobs = module.locals.get("all_jobs") as Readonly<Record<string, { command: string[]; args: string[] }>>;
    for (const [name, { command, args }] of Object.entries(jobs)) {
      const words = scheduledCommand(command, resolved(module, args, VALUES) as string[]);
      assert.deepEqual(words.slice(0, 5), [name, "--project", PROJECT, "--dataset", "analytics"]);
      if (name === "verify") {
        const threeDaysAgo = new Date(Date.now() - 3 * 86_400_000).toISOString().slice(0, 10);
        assert.deepEqual(words.slice(5), ["--since", threeDaysAgo]);
      }
      readWords(words);
    }
  });
});
