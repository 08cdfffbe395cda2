import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fakeTokens, withToken, writeFakeCredentials } from "./fakeCredentials";
import { FakeDataflow } from "./fakeDataflow";
import { FakeMonitoring } from "./fakeMonitoring";
import { FakeServer, type FakeService } from "./fakeServer";
import { FakeStorage } from "./fakeStorage";

/** Fakes of Google's token service, Cloud Storage, Dataflow and Cloud Monitoring on one port of localhost, for launching jobs. */
export interface FakeGoogle {
  readonly project: "fake-project";
  readonly region: "europe-west1";
  readonly bucket: "fake-bucket";
  readonly server: FakeServer;
  readonly storage: FakeStorage;
  readonly dataflow: FakeDataflow;
  readonly monitoring: FakeMonitoring;
  /** Value for `--dataflow-endpoint` and `--monitoring-endpoint`. */
  readonly endpoint: string;
  /** Environment variables that direct Google's libraries to the fakes. */
  readonly env: Readonly<Record<string, string>>;
  /** Restores the initial state. */
  reset(): void;
  stop(): Promise<void>;
}

/** @param others more services on the same port; they also require a token */
export async function startFakeGoogle(others: readonly FakeService[] = []): Promise<FakeGoogle> {
  const project = "fake-project";
  const region = "europe-west1";
  const bucket = "fake-bucket";
  const storage = new FakeStorage(new Set([bucket]));
  const dataflow = new FakeDataflow(project, region);
  const monitoring = new FakeMonitoring(project);
  const guarded = [storage.service, dataflow.service, monitoring.service, ...others].map(withToken);
  const server = await FakeServer.start([fakeTokens, ...guarded]);
  const dir = mkdtempSync(join(tmpdir(), "fake-google-"));
  const env = {
    GOOGLE_APPLICATION_CREDENTIALS: writeFakeCredentials(dir, server.url),
    STORAGE_EMULATOR_HOST: server.url,
  };
  return {
    project,
    region,
    bucket,
    server,
    storage,
    dataflow,
    monitoring,
    endpoint: server.url,
    env,
    reset: () => {
      server.reset();
      storage.objects.clear();
      dataflow.reset();
      monitoring.reset();
    },
    stop: async () => {
      await server.stop();
      rmSync(dir, { recursive: true });
    },
  };
}
