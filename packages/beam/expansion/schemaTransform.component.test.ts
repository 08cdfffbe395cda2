import "../sdk";
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { create, P, withName, type PCollection } from "apache-beam";
import type { Components, Pipeline } from "apache-beam/proto/beam_runner_api";
import { RowCoder } from "apache-beam/coders/row_coder";
import { Schema } from "apache-beam/proto/schema";
import {
  bundleParDo,
  buildPipeline,
  ensureExpansionClasspath,
  startExpansionService,
  type ExpansionService,
} from "../index";
import { int64Type, nullable, rowCoder, stringType } from "../rows/schema";
import { decode } from "../testing/codec";
import { cacheDir } from "@eventlogger/process/packageRoot";
import { Identity } from "../testing/fixtures";
import { discoverConfigurations } from "./discovery";
import { schemaTransform } from "./schemaTransform";

const URN = "beam:schematransform:org.apache.beam:bigquery_storage_write:v2";

describe("Schema transforms of Java", () => {
  let directory: string;
  let service: ExpansionService;
  before(async function () {
    this.timeout(600_000); // the first run builds the service
    directory = mkdtempSync(path.join(tmpdir(), "schema-transform-"));
    const classpath = await ensureExpansionClasspath({ cacheDir });
    service = await startExpansionService({ classpath, logFile: path.join(directory, "log") });
  });
  after(async () => {
    await service?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  /** A pipeline that writes rows with this configuration. */
  const build = (configuration: Record<string, unknown>, urn = URN): Promise<Pipeline> =>
    buildPipeline((root) => {
      const coder = rowCoder({ name: stringType, count: nullable(int64Type) });
      const input = root
        .apply(withName("Create", create(["text"])))
        .apply(bundleParDo("ToRows", new Identity(), coder as never)) as PCollection<unknown>;
      return P({ input }).applyAsync(schemaTransform("Write", urn, configuration, service.address));
    });

  const good = {
    table: "some-project:d.t",
    num_streams: 2,
    triggering_frequency_seconds: 3,
    error_handling: { output: "refused" },
  };

  it("a schema transform is expanded with its configuration, and has named outputs", async () => {
    const { components } = (await build(good)) as { components: Components };
    const { transforms, pcollections, coders } = components;
    const write = Object.values(transforms).find(({ uniqueName }) => uniqueName === "Write");
    assert.deepEqual(Object.keys(write?.outputs ?? {}).sort(), ["post_write", "refused"]);
    const refused = coders[pcollections[write?.outputs["refused"] ?? ""]?.coderId ?? ""];
    assert.equal(refused?.spec?.urn, "beam:coder:row:v1");
    const { fields } = Schema.fromBinary(refused?.spec?.payload ?? new Uint8Array());
    assert.deepEqual(
      fields.map(({ name }) => name),
      ["failed_row", "error_message"],
    );
    // The encoding of a refused row by Java.
    const bytes = Buffer.from("0200" + "020102" + "0161" + "03626164", "hex");
    assert.deepEqual(decode(new RowCoder(refused?.spec?.payload ?? new Uint8Array()), bytes), {
      failed_row: { name: "a", count: undefined },
      error_message: "bad",
    });
  });

  it("the error for an unknown configuration field lists the known fields", async () => {
    await assert.rejects(
      build({ ...good, tabel: "x" }),
      /bigquery_storage_write:v2 has no configuration field tabel; it has auto_sharding, [^]*table, /,
    );
  });

  it("the error for an incomplete configuration names the missing field", async () => {
    await assert.rejects(build({ num_streams: 1 }), /configuration of [^]*field table is required/);
  });

  it("the error for an invalid configuration contains the reason of the service", async () => {
    await assert.rejects(build({ ...good, create_disposition: "CREATE_SOMETIMES" }), /CREATE_SOMETIMES/);
  });

  it("schema transforms are discovered by URN, and an unknown URN is an error", async () => {
    const configurations = await discoverConfigurations(service.address);
    assert.ok(configurations.get(URN)?.fields.some(({ name }) => name === "table"));
    await assert.rejects(build({}, "beam:nothing:v1"), /has no schema transform beam:nothing:v1/);
  });

  it("the error for an unreachable service names its address", async () => {
    await assert.rejects(discoverConfigurations("localhost:1"), /Cannot discover the schema transforms of localhost:1/);
  });
});
