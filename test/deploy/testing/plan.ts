import { execFile } from "node:child_process";
import { chmodSync, copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { UserError } from "@eventlogger/process/main";
import { ensureGoProgram } from "@eventlogger/tools/go/goProgram";
import { PROVIDER_VERSION, readProviderSchemas } from "./providerSchemas";
import { readModule } from "./terraformModule";

const run = promisify(execFile);
const SOURCES = join(repositoryRoot, "test", "deploy");
/** Plans of the module have some hundred kilobytes. */
const MAX_OUTPUT = 64 * 1024 * 1024;

export type OnProgress = (line: string) => void;

async function isCommand(name: string): Promise<boolean> {
  return run(name, ["version"]).then(
    () => true,
    () => false,
  );
}

/** OpenTofu or Terraform on the path. @throws UserError when there is neither */
export async function findTerraform(): Promise<string> {
  for (const name of ["tofu", "terraform"]) if (await isCommand(name)) return name;
  throw new UserError(
    "Neither tofu nor terraform is on the path. Install OpenTofu 1.6 or Terraform 1.6, or a later version",
  );
}

/** The stand-in of Google's provider, which has its schemas and calls no API. */
export function ensureProvider(onProgress: OnProgress = () => {}): Promise<string> {
  return ensureGoProgram(
    {
      name: "google-provider-stand-in",
      what: "a stand-in of Google's provider",
      source: join(SOURCES, "provider"),
      package: ".",
    },
    onProgress,
  );
}

/** A resource of a plan. */
export interface PlannedResource {
  readonly address: string;
  readonly type: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** A copy of the module that is initialised with the stand-in of the provider. */
export class PlanFolder {
  private constructor(
    private readonly terraform: string,
    private readonly directory: string,
    private readonly env: NodeJS.ProcessEnv,
  ) {}

  /** @throws Error that names a resource that the provider does not have; otherwise with the output of Terraform */
  static async create(onProgress: OnProgress = () => {}): Promise<PlanFolder> {
    const [terraform, provider] = [await findTerraform(), await ensureProvider(onProgress)];
    const directory = mkdtempSync(join(tmpdir(), "terraform-"));
    const types = [...(await readModule()).resources.keys()].map((name) => name.split(".")[0] ?? "");
    const schemas = await readProviderSchemas([...new Set(types)], ["google_project"], onProgress);
    writeFileSync(join(directory, "schemas.json"), JSON.stringify(schemas));
    // A mirror in the file system instead of a registry, for both programs.
    for (const registry of ["registry.terraform.io", "registry.opentofu.org"]) {
      const platform = `${process.platform}_${process.arch === "x64" ? "amd64" : process.arch}`;
      const folder = join(directory, "mirror", registry, "hashicorp", "google", PROVIDER_VERSION, platform);
      mkdirSync(folder, { recursive: true });
      const file = join(folder, `terraform-provider-google_v${PROVIDER_VERSION}`);
      copyFileSync(provider, file);
      chmodSync(file, 0o755);
    }
    const config = join(directory, "config.tfrc");
    writeFileSync(
      config,
      `provider_installation {\n  filesystem_mirror {\n    path = "${join(directory, "mirror")}"\n  }\n}\n`,
    );
    cpSync(join(repositoryRoot, "deploy", "terraform"), join(directory, "module"), { recursive: true });
    const folder = new PlanFolder(terraform, directory, {
      ...process.env,
      TF_CLI_CONFIG_FILE: config,
      TF_IN_AUTOMATION: "1",
      CHECKPOINT_DISABLE: "1",
      PROVIDER_SCHEMAS: join(directory, "schemas.json"),
    });
    await folder.run("init", "-backend=false", "-input=false");
    return folder;
  }

  /** Writes a file of the copy of the module. */
  write(name: string, text: string): void {
    writeFileSync(join(this.directory, "module", name), text);
  }

  /** Runs a command of Terraform. @returns its output @throws Error with its output */
  async run(...args: readonly string[]): Promise<string> {
    const options = { cwd: join(this.directory, "module"), env: this.env, maxBuffer: MAX_OUTPUT };
    try {
      return (await run(this.terraform, [...args, ...(args[0] === "show" ? [] : ["-no-color"])], options)).stdout;
    } catch (error) {
      const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
      throw new Error(`${this.terraform} ${args.join(" ")} failed:\n${stdout}${stderr}`, { cause: error });
    }
  }

  /** The resources that an apply to an empty project would create, with the values that are known before it. */
  async plan(variables: Readonly<Record<string, string>>): Promise<readonly PlannedResource[]> {
    const values = Object.entries(variables).map(([name, value]) => `-var=${name}=${value}`);
    await this.run("plan", "-input=false", "-out=plan", ...values);
    const plan = JSON.parse(await this.run("show", "-json", "plan")) as {
      planned_values: { root_module: { resources: PlannedResource[] } };
    };
    return plan.planned_values.root_module.resources;
  }

  remove(): void {
    rmSync(this.directory, { recursive: true });
  }
}
