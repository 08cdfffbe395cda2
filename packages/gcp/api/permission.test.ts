import assert from "node:assert/strict";
import { Server, ServerCredentials, status } from "@grpc/grpc-js";
import { PubSub } from "@google-cloud/pubsub";
import { setUpTopic } from "../pubsub/setup/topic";
import { disabledApi, withPermission } from "./permission";

const need = { project: "my-project", permission: "bigquery.tables.create", resource: "table d.events" };
const failing = (error: Error & { code?: number }) => () => Promise.reject(error);

describe("withPermission", () => {
  it("names the permission and the resource when a call is forbidden", async () => {
    const refused = Object.assign(new Error("Access Denied"), { code: 403 });
    await assert.rejects(withPermission(need, failing(refused)), {
      message:
        "Permission bigquery.tables.create is missing on table d.events in project my-project " +
        "(docs/operations/permissions.md lists the roles that grant it): Access Denied",
    });
  });

  it("names the disabled API and the command that enables it", async () => {
    const message =
      "Cloud Pub/Sub API has not been used in project 42 before or it is disabled. Enable it by visiting " +
      "https://console.developers.google.com/apis/api/pubsub.googleapis.com/overview?project=42 then retry.";
    assert.equal(disabledApi(message), "pubsub.googleapis.com");
    await assert.rejects(
      withPermission(need, failing(Object.assign(new Error(message), { code: 7 }))),
      /pubsub\.googleapis\.com is disabled .*gcloud services enable pubsub\.googleapis\.com --project=my-project/,
    );
  });

  it("returns results and rethrows other errors unchanged", async () => {
    const error = Object.assign(new Error("The deadline has passed"), { code: 4 });
    await assert.rejects(withPermission(need, failing(error)), error);
    assert.equal(await withPermission(need, async () => 5), 5);
  });

  it("recognises a denied permission in errors of the Pub/Sub client", async () => {
    const server = new Server();
    const bytes = { requestSerialize: identity, requestDeserialize: identity };
    server.addService(
      {
        CreateTopic: {
          path: "/google.pubsub.v1.Publisher/CreateTopic",
          requestStream: false,
          responseStream: false,
          ...bytes,
          responseSerialize: identity,
          responseDeserialize: identity,
        },
      },
      {
        CreateTopic: (_call: unknown, callback: (error: object) => void) =>
          callback({ code: status.PERMISSION_DENIED, details: "User not authorized to perform this action." }),
      },
    );
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    );
    const pubsub = new PubSub({ projectId: "my-project", apiEndpoint: `127.0.0.1:${port}`, emulatorMode: true });
    try {
      await assert.rejects(
        setUpTopic(pubsub, "events", { updateExisting: false }),
        /pubsub\.topics\.create is missing on topic events in project my-project .*User not authorized/,
      );
    } finally {
      await pubsub.close();
      server.forceShutdown();
    }
  });
});

function identity(value: Buffer): Buffer {
  return value;
}
