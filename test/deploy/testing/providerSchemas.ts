import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheDir } from "@eventlogger/process/packageRoot";

/**
 * An npm package that is generated from the schemas of Google's provider. It is not a dependency: it has 150 MB, and is no longer
 * developed, so that its version of the provider stays the last of 6.x.
 */
const PACKAGE = "@cdktf/provider-google";
const PACKAGE_VERSION = "16.12.1";
const PACKAGE_SHA512 = "KqNA/5RiFT07r0PSZ6/07cJ2zESUgbj1JchVj21iBFBZVUbD+578xA/k8eq/r0cbyEgLmg9eYWeVslaYah4DCQ==";
/** The version of the provider that it was generated from. */
export const PROVIDER_VERSION = "6.50.0";

/** An attribute or a block, as the stand-in of the provider in `test/deploy/provider` reads it. */
interface Attribute {
  readonly type: "string" | "number" | "bool" | "list" | "map" | "block";
  readonly element?: string;
  readonly required?: boolean;
  readonly computed?: boolean;
  readonly single?: boolean;
  readonly attributes?: Attributes;
}
type Attributes = Readonly<Record<string, Attribute>>;

export interface ProviderSchemas {
  readonly resources: Readonly<Record<string, Attributes>>;
  readonly dataSources: Readonly<Record<string, Attributes>>;
}

/** A type in the file `.jsii`: https://aws.github.io/jsii/specification/2-type-system/ */
interface JsiiType {
  readonly primitive?: string;
  readonly fqn?: string;
  readonly collection?: { readonly kind: "array" | "map"; readonly elementtype: JsiiType };
  readonly union?: { readonly types: readonly JsiiType[] };
}
interface JsiiProperty {
  readonly name: string;
  readonly optional?: boolean;
  readonly static?: boolean;
  readonly type: JsiiType;
}
type JsiiTypes = Readonly<Record<string, { readonly properties?: readonly JsiiProperty[] } | undefined>>;

/** What every resource has, and what the SDK of providers adds itself. */
const GENERAL = new Set(["id", "timeouts"]);

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const pascalCase = (name: string): string => name.replace(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase());

/** A type without the alternative of a value that is known later. */
function plainType({ union, ...type }: JsiiType): JsiiType {
  return union?.types.find(({ fqn }) => fqn !== "cdktf.IResolvable") ?? type;
}

function scalar({ primitive }: JsiiType): "string" | "number" | "bool" {
  return primitive === "boolean" ? "bool" : primitive === "number" ? "number" : "string";
}

function attributesOf(types: JsiiTypes, name: string): Attributes {
  const attributes: Record<string, Attribute> = {};
  for (const { name: property, optional, type } of types[name]?.properties ?? []) {
    if (!GENERAL.has(property)) attributes[snakeCase(property)] = attributeOf(types, type, optional !== true);
  }
  return attributes;
}

function attributeOf(types: JsiiTypes, type: JsiiType, required: boolean): Attribute {
  const { collection, fqn, primitive } = plainType(type);
  if (collection !== undefined) {
    const element = plainType(collection.elementtype);
    if (element.fqn !== undefined) return { type: "block", required, attributes: attributesOf(types, element.fqn) };
    return { type: collection.kind === "map" ? "map" : "list", element: scalar(element), required };
  }
  if (fqn !== undefined) return { type: "block", single: true, required, attributes: attributesOf(types, fqn) };
  return { type: scalar({ ...(primitive !== undefined && { primitive }) }), required };
}

/** The attributes of a resource, also those that only the service knows. */
function resourceOf(types: JsiiTypes, type: string): Attributes {
  const name = pascalCase(type.replace(/^google_/, ""));
  const prefix = `@cdktf/provider-google.${name.charAt(0).toLowerCase()}${name.slice(1)}.${name}`;
  const settable = attributesOf(types, `${prefix}Config`);
  if (Object.keys(settable).length === 0) throw new Error(`Google's provider has no resource ${type}`);
  const computed = (types[prefix]?.properties ?? [])
    .filter(
      ({ name: property, static: isStatic, type: { primitive } }) =>
        !isStatic && primitive && !property.endsWith("Input"),
    )
    .map(({ name: property, type: own }) => [snakeCase(property), { type: scalar(own), computed: true }] as const);
  return { ...Object.fromEntries(computed.filter(([attribute]) => !GENERAL.has(attribute))), ...settable };
}

/** Downloads the package once. @returns the path of its file of types */
async function ensureTypes(onProgress: (line: string) => void): Promise<string> {
  const folder = join(cacheDir, `provider-google-${PACKAGE_VERSION}`);
  const file = join(folder, "package", ".jsii");
  if (existsSync(file)) return file;
  onProgress(`downloading ${PACKAGE} (once, 32 MB)`);
  mkdirSync(cacheDir, { recursive: true });
  const partial = mkdtempSync(join(cacheDir, "provider-google-"));
  try {
    const run = promisify(execFile);
    const { stdout } = await run("npm", ["pack", "--silent", `${PACKAGE}@${PACKAGE_VERSION}`], { cwd: partial });
    const archive = join(partial, stdout.trim().split("\n").at(-1) ?? "");
    const hash = createHash("sha512").update(readFileSync(archive)).digest("base64");
    if (hash !== PACKAGE_SHA512) throw new Error(`${PACKAGE} ${PACKAGE_VERSION} has another checksum: ${hash}`);
    await run("tar", ["--extract", "--file", archive, "--directory", partial, "package/.jsii"]);
    rmSync(archive);
    renameSync(partial, folder);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  return file;
}

/**
 * The schemas of some resources and data sources of Google's provider.
 * @throws Error that names a resource that the provider does not have
 */
export async function readProviderSchemas(
  resources: readonly string[],
  dataSources: readonly string[],
  onProgress: (line: string) => void = () => {},
): Promise<ProviderSchemas> {
  const { types } = JSON.parse(readFileSync(await ensureTypes(onProgress), "utf8")) as { types: JsiiTypes };
  const of = (names: readonly string[], prefix = ""): Record<string, Attributes> =>
    Object.fromEntries(names.map((name) => [name, resourceOf(types, name.replace(/^google_/, `google_${prefix}`))]));
  return { resources: of(resources), dataSources: of(dataSources, "data_google_") };
}
