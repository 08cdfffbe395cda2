import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ingestOptions } from "@eventlogger/ingest/options";
import { nginxOptions } from "@eventlogger/nginx/options";
import { envName } from "@eventlogger/options/options";
import { runOptions } from "@eventlogger/pipeline/cli/run/runOptions";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { IMAGE_NAMES } from "@eventlogger/tools/images/assemble";
import { packageVersion } from "@eventlogger/tools/images/build";
import { kubernetesProblems, type KubernetesObject } from "./testing/kubernetesTypes";
import { render } from "./testing/kustomize";
import { readWords, scheduledCommand } from "./testing/scheduledCommand";
import { readModule } from "./testing/terraformModule";

type Labels = Readonly<Record<string, string>>;

/** The fields of a container that the tests read. */
interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  readonly envFrom?: readonly { readonly configMapRef: { readonly name: string } }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly resources: { readonly limits?: Labels; readonly requests?: Labels };
  readonly securityContext: unknown;
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
  readonly [probe: string]: unknown;
}

interface PodSpec {
  readonly serviceAccountName: string;
  readonly securityContext: { readonly runAsNonRoot?: boolean; readonly runAsUser?: number };
  readonly terminationGracePeriodSeconds?: number;
  readonly containers: readonly Container[];
  readonly volumes?: readonly { readonly name: string }[];
}

/** A pod of a Deployment, a StatefulSet or a CronJob. */
interface Pod {
  readonly owner: string;
  readonly labels: Labels;
  readonly spec: PodSpec;
  readonly container: Container;
  readonly claims: readonly string[];
}

interface PodTemplate {
  readonly metadata: { readonly labels: Labels };
  readonly spec: PodSpec;
}

function podsOf(objects: readonly KubernetesObject[]): Pod[] {
  return objects.flatMap((object) => {
    const spec = object["spec"] as {
      template?: PodTemplate;
      jobTemplate?: { spec: { template: PodTemplate } };
      volumeClaimTemplates?: { metadata: { name: string } }[];
    };
    const template = spec?.template ?? spec?.jobTemplate?.spec.template;
    if (template === undefined) return [];
    const [container, ...others] = template.spec.containers;
    assert.ok(container !== undefined && others.length === 0);
    const claims = (spec.volumeClaimTemplates ?? []).map(({ metadata }) => metadata.name);
    return [{ owner: object.metadata.name, labels: template.metadata.labels, spec: template.spec, container, claims }];
  });
}

const isSelected = (selector: Labels, labels: Labels): boolean =>
  Object.entries(selector).every(([key, value]) => labels[key] === value);

describe("Kubernetes objects", () => {
  const rendered: Record<"base" | "google", KubernetesObject[]> = { base: [], google: [] };
  let pods: Pod[];
  before(async () => {
    for (const folder of ["base", "google"] as const) rendered[folder] = await render(`deploy/kubernetes/${folder}`);
    pods = podsOf(rendered.google);
  });
  const named = (kind: string, name: string): KubernetesObject => {
    const found = rendered.google.find((object) => object.kind === kind && object.metadata.name === name);
    assert.ok(found, `${kind} ${name}`);
    return found;
  };
  const pod = (owner: string): Pod => {
    const found = pods.find((one) => one.owner === owner);
    assert.ok(found, owner);
    return found;
  };
  /** The environment of a container, with the values of its ConfigMaps. */
  const environment = ({ container }: Pod): Record<string, string> =>
    Object.assign(
      {},
      ...(container.envFrom ?? []).map(({ configMapRef }) => named("ConfigMap", configMapRef.name)["data"]),
      Object.fromEntries((container.env ?? []).map(({ name, value }) => [name, value])),
    ) as Record<string, string>;

  it("kustomize renders objects whose fields all exist in Kubernetes' API", () => {
    assert.ok(rendered.base.length >= 20, String(rendered.base.length));
    assert.deepEqual(kubernetesProblems([...rendered.base, ...rendered.google]), []);
  });

  it("the check of Kubernetes objects reports a misspelled field, a missing one and a wrong type", () => {
    const object = (spec: object): KubernetesObject => ({
      ...{ apiVersion: "v1", kind: "Service", metadata: { name: "x" } },
      spec,
    });
    const wrong = [{ clusterIPP: "None" }, { ports: [{}] }, { ports: [{ port: "80" }] }].map(object);
    const problems = kubernetesProblems(wrong).join("\n");
    for (const expected of [
      /clusterIPP"' does not exist/,
      /port"' is missing/,
      /string' is not assignable to type 'number'/,
    ])
      assert.match(problems, expected);
  });

  it("every pod runs without root and capabilities, on a read-only file system, with requests and a memory limit", () => {
    assert.deepEqual(pods.map(({ owner }) => owner).sort(), ["ingest", "nginx", "pipeline", "refresh", "verify"]);
    for (const { owner, spec, container } of pods) {
      assert.deepEqual([spec.securityContext.runAsNonRoot, spec.securityContext.runAsUser], [true, 1000], owner);
      assert.deepEqual(
        container.securityContext,
        { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } },
        owner,
      );
      assert.ok(container.resources.limits?.["memory"] && container.resources.requests?.["cpu"], owner);
      const account = named("ServiceAccount", spec.serviceAccountName);
      assert.equal(account["automountServiceAccountToken"], false, owner);
    }
  });

  it("every mounted volume, probed port and ConfigMap exists", () => {
    for (const { owner, spec, container, claims } of pods) {
      const volumes = [...(spec.volumes ?? []).map(({ name }) => name), ...claims].sort();
      assert.deepEqual((container.volumeMounts ?? []).map(({ name }) => name).sort(), volumes, owner);
      const ports = (container.ports ?? []).map(({ name }) => name);
      for (const probe of ["startupProbe", "readinessProbe", "livenessProbe"]) {
        const { httpGet, tcpSocket } = (container[probe] ?? {}) as Record<string, { port: string } | undefined>;
        const port = httpGet?.port ?? tcpSocket?.port;
        if (port !== undefined) assert.ok(ports.includes(port), `${owner} ${probe}`);
      }
      assert.ok(Object.keys(environment(pod(owner))).length > 0, owner);
    }
  });

  it("services, network policies, budgets and the autoscaler select pods that exist", () => {
    const selects = (selector: Labels): string[] =>
      pods.filter(({ labels }) => isSelected(selector, labels)).map(({ owner }) => owner);
    const spec = (object: KubernetesObject): Record<string, { matchLabels?: Labels } | undefined> =>
      object["spec"] as Record<string, { matchLabels?: Labels }>;
    for (const object of rendered.google) {
      const { name } = object.metadata;
      if (object.kind === "Service") assert.deepEqual(selects(spec(object)["selector"] as Labels), [name]);
      if (object.kind === "PodDisruptionBudget")
        assert.deepEqual(selects(spec(object)["selector"]?.matchLabels ?? {}), [name]);
      if (object.kind === "NetworkPolicy" && name !== "nothing-else")
        assert.deepEqual(selects(spec(object)["podSelector"]?.matchLabels ?? {}), [name]);
      if (object.kind === "HorizontalPodAutoscaler")
        assert.equal(
          named("Deployment", name)["spec"] && "replicas" in (named("Deployment", name)["spec"] as object),
          false,
        );
    }
    assert.equal(environment(pod("nginx"))["UPSTREAMS"], "ingest:3000");
    const { ports, clusterIP } = named("Service", "ingest")["spec"] as { ports: { port: number }[]; clusterIP: string };
    assert.deepEqual([clusterIP, ports[0]?.port], ["None", pod("ingest").container.ports?.[0]?.containerPort]);
  });

  it("every variable of a pod is an option of its program, and nginx and ingest have the same HTTP settings", () => {
    const variables = (specs: object): Set<string> => new Set(Object.keys(specs).map(envName));
    const known: Readonly<Record<string, Set<string>>> = {
      ingest: variables(ingestOptions),
      nginx: variables(nginxOptions),
      pipeline: variables(runOptions),
    };
    // The settings of all programs are in one ConfigMap: ingest has no subscription, and the pipeline no topic.
    const shared = new Set(["SUBSCRIPTION", "TOPIC"]);
    for (const [owner, names] of Object.entries(known)) {
      const unknown = Object.keys(environment(pod(owner))).filter((name) => !names.has(name) && !shared.has(name));
      assert.deepEqual(unknown, [], owner);
    }
    for (const name of ["BODY_LIMIT", "BATCH_BODY_LIMIT", "CORS_ORIGINS", "SEGMENT_PATH"]) {
      assert.equal(environment(pod("nginx"))[name], environment(pod("ingest"))[name]);
      assert.ok(known["nginx"]?.has(name) && known["ingest"]?.has(name), name);
    }
    assert.equal(environment(pod("ingest"))["PROJECT"], "my-project");
  });

  it("a stopping pod has time for its requests, or for its last checkpoint", () => {
    const { spec, container } = pod("ingest");
    const { preStop } = container["lifecycle"] as { preStop: { exec: { command: string[] } } };
    const pause = Number(preStop.exec.command[1]);
    assert.ok((spec.terminationGracePeriodSeconds ?? 30) > pause + ingestOptions.drainTimeout.default / 1000);
    assert.ok((pod("pipeline").spec.terminationGracePeriodSeconds ?? 30) >= 60);
    assert.equal((named("StatefulSet", "pipeline")["spec"] as { replicas: number }).replicas, 1);
  });

  it("the images are those that npm run images builds, in this version, and the overlay takes them from Artifact Registry", () => {
    for (const [folder, prefix] of [
      ["base", ""],
      ["google", "europe-west1-docker.pkg.dev/my-project/eventlogger/"],
    ] as const) {
      for (const { container } of podsOf(rendered[folder])) {
        const [, image, tag] = new RegExp(`^${prefix}eventlogger-(\\w+):(.+)$`).exec(container.image) ?? [];
        assert.ok(
          IMAGE_NAMES.some((name) => name === image),
          container.image,
        );
        assert.equal(tag, packageVersion);
      }
    }
  });

  it("the accounts of the overlay are those of the Terraform module", async () => {
    const accounts = Object.keys((await readModule()).locals.get("accounts") as object);
    const used = rendered.google
      .filter(({ kind }) => kind === "ServiceAccount")
      .flatMap(({ metadata }) =>
        Object.values((metadata["annotations"] ?? {}) as Labels).map((email) => [metadata.name, email] as const),
      );
    assert.deepEqual(used.map(([name, email]) => [name, email.split("@")[0]]).sort(), [
      ["ingest", "eventlogger-ingest"],
      ["pipeline", "eventlogger-worker"],
      ["refresh", "eventlogger-refresh"],
      ["verify", "eventlogger-verify"],
    ]);
    for (const [, email] of used) assert.ok(accounts.includes(email.replace(/^eventlogger-|@.*$/g, "")), email);
    const page = readFileSync(join(repositoryRoot, "docs/operations/google-cloud.md"), "utf8");
    for (const [name, email] of used)
      assert.ok(page.includes(`${name}:${email.replace(/^eventlogger-|@.*$/g, "")}`), name);
  });

  it("the commands of the pods exist, with the options that they are given", () => {
    for (const owner of ["pipeline", "refresh", "verify"]) {
      const { command = [], args = [] } = pod(owner).container;
      // Without a command the container runs the entry point of the image.
      const words = command.length > 0 ? scheduledCommand(command, args) : args;
      assert.equal(words[0], owner === "pipeline" ? "run" : owner);
      readWords(words);
    }
  });
});
