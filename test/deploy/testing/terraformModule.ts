import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { repositoryRoot } from "@eventlogger/process/packageRoot";

/** Required, not imported: the types of the package add those of browsers to the whole compilation. */
const { parse } = createRequire(__filename)(require.resolve("@cdktn/hcl2json")) as {
  parse: (file: string, text: string) => Promise<unknown>;
};

/** An attribute is text, with expressions such as `${var.name}`, or a number, a boolean, a list or a map. A block is a list of its bodies. */
export type Body = Readonly<Record<string, unknown>>;

/** A module of Terraform, parsed. */
export interface TerraformModule {
  /** Bodies by `type.name`. */
  readonly resources: ReadonlyMap<string, Body>;
  readonly outputs: ReadonlyMap<string, Body>;
  /** Default values of the variables that have one. */
  readonly defaults: ReadonlyMap<string, unknown>;
  readonly locals: ReadonlyMap<string, unknown>;
}

const isBody = (value: unknown): value is Body => typeof value === "object" && value !== null && !Array.isArray(value);

/** The bodies of a block; none when it is missing. */
export function blocks(body: Body, name: string): readonly Body[] {
  const found = body[name];
  return Array.isArray(found) ? found.filter(isBody) : [];
}

/** The body of a block that occurs once. @throws Error when it does not */
export function block(body: Body, name: string): Body {
  const [first, ...others] = blocks(body, name);
  if (first === undefined || others.length > 0) throw new Error(`${others.length + 1} or no blocks ${name}`);
  return first;
}

/** The bodies of a block with labels: of `resource "a" "b" {}` by `a.b`. */
function labelled(value: unknown, labels: number, prefix = ""): [string, Body][] {
  if (labels === 0) return (Array.isArray(value) ? value : []).filter(isBody).map((body) => [prefix, body]);
  return Object.entries(isBody(value) ? value : {}).flatMap(([label, rest]) =>
    labelled(rest, labels - 1, prefix === "" ? label : `${prefix}.${label}`),
  );
}

/** Parses the Terraform module of this repository. @throws Error when it is no valid HCL, or has a resource twice */
export async function readModule(folder = join(repositoryRoot, "deploy", "terraform")): Promise<TerraformModule> {
  const all: Record<"resource" | "output" | "variable" | "locals", [string, Body][]> = {
    resource: [],
    output: [],
    variable: [],
    locals: [],
  };
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".tf"))) {
    const parsed = (await parse(file, readFileSync(join(folder, file), "utf8"))) as Body;
    all.resource.push(...labelled(parsed["resource"], 2));
    all.output.push(...labelled(parsed["output"], 1));
    all.variable.push(...labelled(parsed["variable"], 1));
    all.locals.push(...labelled(parsed["locals"], 0));
  }
  const unique = (entries: readonly [string, Body][]): ReadonlyMap<string, Body> => {
    const map = new Map(entries);
    if (map.size !== entries.length) throw new Error("A resource, an output or a variable is declared twice");
    return map;
  };
  return {
    resources: unique(all.resource),
    outputs: unique(all.output),
    defaults: new Map(
      [...unique(all.variable)].flatMap(([name, body]) => ("default" in body ? [[name, body["default"]]] : [])),
    ),
    locals: new Map(all.locals.flatMap(([, body]) => Object.entries(body))),
  };
}

/** The resource of a name such as `google_pubsub_topic.events`. @throws Error when the module does not have it */
export function resource({ resources }: TerraformModule, name: string): Body {
  const body = resources.get(name);
  if (body === undefined) throw new Error(`The module has no resource ${name}`);
  return body;
}

const textOf = (value: unknown): string | undefined =>
  typeof value === "string" || typeof value === "number" ? String(value) : undefined;

/** What names a resource of each type. */
const NAME = ["name", "account_id", "dataset_id", "secret_id", "repository_id"] as const;

/**
 * Replaces references in a text: variables by their values, locals by theirs, and attributes of resources by the name of the resource.
 * Other expressions stay.
 * @param values of variables, before the defaults
 */
export function resolve(module: TerraformModule, text: string, values: Readonly<Record<string, string>>): unknown {
  const whole = /^\$\{var\.(\w+)\}$/.exec(text)?.[1];
  if (whole !== undefined && !(whole in values)) return module.defaults.get(whole) ?? text;
  return text.replace(/\$\{(var|local|google_\w+)\.(\w+)(?:\.\w+)?\}/g, (expression, kind: string, name: string) => {
    if (kind === "var") return values[name] ?? textOf(module.defaults.get(name)) ?? expression;
    if (kind === "local") {
      const value = module.locals.get(name);
      return typeof value === "string" ? String(resolve(module, value, values)) : expression;
    }
    const body = module.resources.get(`${kind}.${name}`) ?? {};
    const named = NAME.map((attribute) => body[attribute]).find((value) => typeof value === "string");
    return named === undefined ? expression : String(resolve(module, named, values));
  });
}

/** A body with all references of its texts replaced: see {@link resolve}. */
export function resolved(module: TerraformModule, body: unknown, values: Readonly<Record<string, string>>): unknown {
  if (typeof body === "string") return resolve(module, body, values);
  if (Array.isArray(body)) return body.map((item) => resolved(module, item, values));
  if (!isBody(body)) return body;
  return Object.fromEntries(Object.entries(body).map(([key, value]) => [key, resolved(module, value, values)]));
}
