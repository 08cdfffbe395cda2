import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Browser } from "playwright-core";
import { javaCommand } from "@eventlogger/gcp/emulators/javaCommand";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { parseMarkdown } from "../../docs/markdown";
import { servePage } from "./browserLibrary";
import { ensureJavaLibrary } from "./javaLibrary";
import { ensurePythonLibrary } from "./pythonLibrary";

const PAGE = join(repositoryRoot, "docs", "sending-events.md");
const EXAMPLE_HOST = "events.example.com";
const IMPORT_OF_LIBRARY = /^import (\{ \w+ \}) from "@segment\/analytics-next";$/m;

/** A program of the page "Sending events". */
export interface Example {
  readonly title: string;
  readonly language: string;
  /** As it is shown. */
  readonly text: string;
}

/** The programs of the page, by the headings above them. */
export function readExamples(): readonly Example[] {
  const sections = readFileSync(PAGE, "utf8")
    .split(/^#{2,3} /m)
    .slice(1);
  return sections.flatMap((section) => {
    const title = section.slice(0, section.indexOf("\n"));
    return parseMarkdown(section).codeBlocks.map(({ language, text }) => ({ title, language, text }));
  });
}

/** Where and with what the programs run. */
export interface Surroundings {
  /** URL of the service, which is used instead of that in the programs. */
  readonly url: string;
  /** For files. */
  readonly directory: string;
  /** Waits until the event of the program has arrived: a page is closed only then. */
  readonly arrived: () => Promise<void>;
}

/** Runs a program. Those in pages need a browser. @throws Error with the output of one that fails */
export async function runExample(
  { title, language, text }: Example,
  { url, directory, arrived }: Surroundings,
  browser: Browser | undefined,
): Promise<void> {
  const program = text
    .replaceAll(`https://${EXAMPLE_HOST}`, url)
    .replaceAll(EXAMPLE_HOST, new URL(url).host)
    .replaceAll('protocol: "https"', 'protocol: "http"');
  const run = (command: string, ...args: string[]): Promise<unknown> =>
    promisify(execFile)(command, args, { cwd: repositoryRoot });
  const open = async (html: string): Promise<void> => {
    if (!browser) throw new Error("The example needs a browser");
    const page = await servePage(browser, html);
    try {
      await arrived();
    } finally {
      await page.close();
    }
  };
  switch (language) {
    case "sh":
      await run("bash", "-c", program);
      break;
    case "html":
      return open(program);
    case "js": {
      if (!IMPORT_OF_LIBRARY.test(program)) {
        await run(process.execPath, "--input-type=module", "--eval", program);
        break;
      }
      // In an app, a bundler resolves the import.
      const script = program.replace(IMPORT_OF_LIBRARY, "const $1 = AnalyticsNext;");
      return open(`<script src="/analytics.js"></script><script>${script}</script>`);
    }
    case "python":
      await run(await ensurePythonLibrary(), "-c", program);
      break;
    case "java": {
      const file = join(directory, "Send.java");
      writeFileSync(file, program);
      await run(javaCommand(), "-Xmx128m", "-cp", await ensureJavaLibrary(), file);
      break;
    }
    default:
      throw new Error(`${title} has a program in ${language}, which the tests cannot run`);
  }
  await arrived();
}

/** Whether a program runs in a page. */
export const needsBrowser = ({ language, text }: Example): boolean =>
  language === "html" || IMPORT_OF_LIBRARY.test(text);
