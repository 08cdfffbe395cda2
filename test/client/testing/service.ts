import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { IngestFixture, TestReplica, TestTopic } from "@eventlogger/ingest/testing/fixture";
import { startBatchGateway, type BatchGateway, type BatchRequest } from "./batchGateway";

export interface Service {
  readonly url: string;
  readonly requests: readonly BatchRequest[];
  readonly replica: TestReplica;
  /** Stops listening. */
  goAway(): Promise<void>;
  /** Listens again on the same address. */
  comeBack(): Promise<void>;
}

/** Services that publish batches to a topic; they are stopped after the tests of the `describe` that calls this. */
export function useServices(ingest: IngestFixture): {
  start(
    topic: TestTopic,
    options: { origins?: readonly string[]; writeKey?: string; env?: Readonly<Record<string, string>> },
  ): Promise<Service>;
} {
  const gateways = new Set<BatchGateway>();
  const directory = mkdtempSync(join(tmpdir(), "client-"));
  let keyFiles = 0;
  function keyFile(writeKey: string): string {
    const file = join(directory, `write-keys-${++keyFiles}`);
    writeFileSync(file, JSON.stringify({ test: writeKey }));
    return file;
  }
  after(async () => {
    await Promise.all([...gateways].map((gateway) => gateway.stop()));
    rmSync(directory, { recursive: true });
  });
  return {
    async start(topic, { origins = [], writeKey, env = {} }) {
      const replica = await ingest.startReplica({
        TOPIC: topic.name,
        CORS_ORIGINS: origins.join(),
        ...(writeKey === undefined ? {} : { WRITE_KEYS_FILE: keyFile(writeKey) }),
        ...env,
      });
      const requests: BatchRequest[] = [];
      let gateway: BatchGateway | undefined;
      const listen = async (port?: number): Promise<BatchGateway> => {
        const started = await startBatchGateway({ replicaUrl: replica.url, port, requests });
        gateways.add(started);
        return started;
      };
      gateway = await listen();
      const { url, port } = gateway;
      return {
        url,
        requests,
        replica,
        async goAway() {
          if (gateway) gateways.delete(gateway);
          await gateway?.stop();
        },
        async comeBack() {
          gateway = await listen(port);
        },
      };
    },
  };
}
