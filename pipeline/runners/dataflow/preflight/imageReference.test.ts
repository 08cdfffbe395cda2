import assert from "node:assert/strict";
import { isGoogleRegistry, parseImageReference } from "./imageReference";

const DIGEST = `sha256:${"0123456789abcdef".repeat(4)}`;

describe("parseImageReference", () => {
  for (const [name, registry, repository, version, isGoogle] of [
    ["europe-docker.pkg.dev/p/images/worker:1.2", "https://europe-docker.pkg.dev", "p/images/worker", "1.2", true],
    ["eu.gcr.io/p/worker", "https://eu.gcr.io", "p/worker", "latest", true],
    [`gcr.io/p/worker@${DIGEST}`, "https://gcr.io", "p/worker", DIGEST, true],
    [`gcr.io/p/worker:1@${DIGEST}`, "https://gcr.io", "p/worker", DIGEST, true],
    ["localhost:5000/worker:1", "http://localhost:5000", "worker", "1", false],
    ["127.0.0.1:5000/a/worker", "http://127.0.0.1:5000", "a/worker", "latest", false],
    ["registry.example.com:5000/worker", "https://registry.example.com:5000", "worker", "latest", false],
    ["evil-docker.pkg.dev.example.com/worker", "https://evil-docker.pkg.dev.example.com", "worker", "latest", false],
    ["debian", "https://registry-1.docker.io", "library/debian", "latest", false],
    ["me/worker:2", "https://registry-1.docker.io", "me/worker", "2", false],
    ["docker.io/me/worker", "https://registry-1.docker.io", "me/worker", "latest", false],
  ] as const) {
    it(`parses the image name ${name}`, () => {
      const reference = parseImageReference(name);
      assert.deepEqual(reference, { registry, repository, version });
      assert.equal(isGoogleRegistry(reference), isGoogle);
    });
  }

  for (const name of [
    "",
    "Worker",
    "gcr.io/p/worker:",
    "gcr.io/p/worker@sha256:12",
    "https://gcr.io/p/worker",
    "a b",
  ]) {
    it(`rejects the image name ${JSON.stringify(name)}`, () => assert.equal(parseImageReference(name), undefined));
  }
});
