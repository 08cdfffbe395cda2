import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { parseMarkdown } from "../docs/markdown";

/** Commands that run at the same time: each start of the command line tool takes seconds. */
const AT_ONCE = 2;
/** Values of the variables of the pages: the tool checks the form of some. */
const VARIABLES: Readonly<Record<string, string>> = {
  PROJECT: "my-project",
  REGION: "europe-west1",
  IMAGES: "europe-west1-docker.pkg.dev/my-project/eventlogger",
  ACCOUNTS: "my-project.iam.gserviceaccount.com",
  AGENT: "service-1@gcp-sa-pubsub.iam.gserviceaccount.com",
  WORKER: "serviceAccount:eventlogger-worker@my-project.iam.gserviceaccount.com",
  role: "dataflow.worker",
};

/** The gcloud commands of a shell text, also those in pipes and assignments. */
function gcloudCommands(text: string): string[] {
  const lines = text.replace(/\\\n\s*/g, " ").split("\n");
  return lines.flatMap((line) => {
    const [, command] = /(?:^|\| |=\$\()\s*(gcloud .*?)(?:\)?$| \|)/.exec(line.trim()) ?? [];
    if (command === undefined) return [];
    return [
      command.replace(
        /\$\{?(\w+)[^}\s@]*\}|\$(\w+)/g,
        (_, braced?: string, plain?: string) => VARIABLES[braced ?? plain ?? ""] ?? "x",
      ),
    ];
  });
}

interface Verdict {
  readonly success: boolean;
  readonly error_message: string | null;
}

/** What the tool reports about a command; undefined when it exists with these flags. It contacts no service. */
async function gcloudProblem(command: string): Promise<string | undefined> {
  const args = ["meta", "lint-gcloud-commands", `--command-string=${command}`];
  const { stdout } = await promisify(execFile)("gcloud", args, {
    env: { ...process.env, CLOUDSDK_CORE_DISABLE_PROMPTS: "1" },
    maxBuffer: 64 * 1024 * 1024,
  });
  const [verdict] = JSON.parse(stdout.slice(stdout.indexOf("["))) as Verdict[];
  return verdict?.success === true ? undefined : `${command}: ${verdict?.error_message}`;
}

/** With `gcloud meta lint-gcloud-commands` of the Google Cloud CLI, which tests need anyway for its emulator of Pub/Sub. */
describe("gcloud commands of the pages", function () {
  this.timeout(900_000);

  it("every gcloud command of the pages about operation exists, with its flags and their form", async () => {
    const folder = join(repositoryRoot, "docs", "operations");
    const pages = readdirSync(folder).filter((name) => name.endsWith(".md"));
    const commands = pages.flatMap((page) =>
      parseMarkdown(readFileSync(join(folder, page), "utf8")).codeBlocks.flatMap(({ language, text }) =>
        language === "sh" ? gcloudCommands(text) : [],
      ),
    );
    assert.ok(commands.length > 40, String(commands.length));
    const waiting = [...new Set(commands)];
    const problems: (string | undefined)[] = [];
    const work = async (): Promise<void> => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) problems.push(await gcloudProblem(next));
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    assert.deepEqual(
      problems.filter((problem) => problem !== undefined),
      [],
    );
  });

  it("a flag that gcloud does not have is found", async () => {
    assert.match((await gcloudProblem("gcloud pubsub topics create x --no-such-flag=1")) ?? "", /no-such-flag/);
  });
});
