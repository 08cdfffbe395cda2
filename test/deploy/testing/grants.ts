import { shellCommands } from "../../docs/shell";
import { resolved, type Body, type TerraformModule } from "./terraformModule";

/** A role of an account of eventlogger, or of `allUsers` or Pub/Sub's service agent, as `account role on resource`. */
export type Grant = string;

const grant = (account: string, role: string, resource: string): Grant => `${account} ${role} on ${resource}`;

/** The account of a member such as `serviceAccount:eventlogger-ingest@…`. */
function accountOf(member: string): string {
  if (member === "allUsers") return member;
  if (/AGENT|pubsub_agent|gcp-sa-pubsub/.test(member)) return "agent";
  const [, account] = /eventlogger-(\w+)@|\blocal\.members\["(\w+)"\]/.exec(member)?.filter((part) => part) ?? [];
  if (account === undefined) throw new Error(`No account in the member ${member}`);
  return account;
}

/** The literal map of a local, of lists or texts. */
function localMap(module: TerraformModule, name: string): [string, string[]][] {
  const value = module.locals.get(name);
  if (typeof value !== "object" || value === null) throw new Error(`The local ${name} is no map`);
  return Object.entries(value).map(([key, item]) => [key, [item].flat().map(String)]);
}

/** The names of the resource that an access resource of the module is for. */
function resourcesOf(type: string, body: Body, module: TerraformModule): string[] {
  const named = (attribute: string): string => String(body[attribute]);
  switch (type) {
    case "google_pubsub_topic_iam_member":
      return [`topic ${named("topic")}`];
    case "google_pubsub_subscription_iam_member":
      return [`subscription ${named("subscription")}`];
    case "google_storage_bucket_iam_member":
      return ["bucket"];
    case "google_artifact_registry_repository_iam_member":
      return [`repository ${named("repository")}`];
    case "google_cloud_run_v2_service_iam_member":
      return [`service ${named("name")}`];
    case "google_secret_manager_secret_iam_member":
      return ["secret eventlogger-write-keys", "secret eventlogger-read-keys"];
    case "google_cloud_run_v2_job_iam_member":
      return localMap(module, "all_jobs").map(([name]) => `job eventlogger-${name}`);
    default:
      throw new Error(`The test does not know ${type}`);
  }
}

/** The grants of the Terraform module with its default variables. */
export function moduleGrants(module: TerraformModule): Grant[] {
  const grants: Grant[] = [];
  for (const [name, body] of module.resources) {
    const [type = ""] = name.split(".");
    if (!type.endsWith("_iam_member")) continue;
    if (name === "google_project_iam_member.grants" || name === "google_bigquery_dataset_iam_member.grants") {
      const [local, resource] = type.includes("dataset") ? ["dataset_roles", "dataset"] : ["project_roles", "project"];
      for (const [account, roles] of localMap(module, local))
        grants.push(...roles.map((role) => grant(account, role, resource)));
      continue;
    }
    const plain = resolved(module, body, { project: "my-project", region: "europe-west1" }) as Body;
    for (const resource of resourcesOf(type, plain, module))
      grants.push(grant(accountOf(String(plain["member"])), String(plain["role"]), resource));
  }
  return grants.sort();
}

const valueOf = (words: readonly string[], flag: string): string =>
  words.find((word) => word.startsWith(`--${flag}=`))?.slice(flag.length + 3) ?? "";

/** The grants that the gcloud commands and the GRANT statements of a shell text make. */
export function shellGrants(text: string): Grant[] {
  const grants: Grant[] = [];
  for (const [, role = "", account = ""] of text.matchAll(/GRANT \\`([\w/.]+)\\` ON SCHEMA analytics TO '([^']+)'/g))
    grants.push(grant(accountOf(account), role, "dataset"));
  for (const words of shellCommands(text)) {
    const verb = words.indexOf("add-iam-policy-binding");
    const [program, ...rest] = words;
    if (program !== "gcloud") continue;
    if (words.includes("--allow-unauthenticated"))
      grants.push(grant("allUsers", "roles/run.invoker", `service ${words[words.indexOf("deploy") + 1] ?? ""}`));
    if (verb < 0) continue;
    const name = words[verb + 1] ?? "";
    const kind = rest.slice(0, verb - 1).join(" ");
    const resource: Readonly<Record<string, string>> = {
      projects: "project",
      "pubsub topics": `topic ${name}`,
      "pubsub subscriptions": `subscription ${name}`,
      "storage buckets": "bucket",
      "artifacts repositories": `repository ${name}`,
      secrets: `secret ${name}`,
      "run jobs": `job ${name}`,
    };
    grants.push(grant(accountOf(valueOf(words, "member")), valueOf(words, "role"), resource[kind] ?? kind));
  }
  return grants.sort();
}
