import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { useBigQueryEmulator, type EmulatorFixture } from "@eventlogger/gcp/bigquery/testing/useBigQueryEmulator";
import { startReadReplica, type ReadReplica } from "@eventlogger/ingest/testing/readReplica";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { startChromium } from "../../client/testing/chromium";

/** Screenshots that people look at. */
const ARTIFACTS = join(repositoryRoot, ".artifacts", "dashboard");

/** A busy machine takes long for the queries of a page, ms. */
const READ_MS = 90_000;

/** A page with the dashboard. */
export interface OpenPage {
  readonly page: Page;
  /** What the page has written to the console, and its uncaught errors. */
  readonly problems: readonly string[];
  /** The URLs of all requests of the page. */
  readonly requests: readonly string[];
}

export interface DashboardFixture {
  readonly warehouse: EmulatorFixture;
  /** Starts a replica that reads a dataset. @param port of an earlier replica, to take its place */
  startReplica(dataset: string, env?: Readonly<Record<string, string>>, port?: number): Promise<ReadReplica>;
  /** Opens the dashboard in a browser profile of its own, and waits until it shows numbers. */
  open(replica: ReadReplica, options?: OpenOptions): Promise<OpenPage>;
  /** Keeps a picture of the page. */
  keepScreenshot(page: Page, name: string, isWhole?: boolean): Promise<void>;
}

export interface OpenOptions {
  /** With its question mark. @default "" */
  readonly query?: string;
  readonly context?: BrowserContextOptions;
  /** Whether numbers are expected. @default true */
  readonly showsNumbers?: boolean;
  /** Called before the page is loaded. */
  readonly prepare?: (context: BrowserContext) => Promise<void>;
}

/** Runs a BigQuery emulator and a browser around the tests of the enclosing `describe`. */
export function useDashboard(): DashboardFixture {
  const warehouse = useBigQueryEmulator();
  let directory: string;
  let browser: Browser;
  const replicas: ReadReplica[] = [];
  const contexts: BrowserContext[] = [];
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "dashboard-"));
    browser = await startChromium();
  });
  afterEach(async () => void (await Promise.all(contexts.splice(0).map((context) => context.close()))));
  after(async () => {
    await browser?.close();
    await Promise.all(replicas.map((replica) => replica.process.stop()));
    rmSync(directory, { recursive: true });
  });
  return {
    warehouse,
    async startReplica(dataset, env = {}, port) {
      const replica = await startReadReplica(
        join(directory, `replica-${replicas.length}.log`),
        {
          ...{ PROJECT: warehouse.project, DATASET: dataset, BIGQUERY_ENDPOINT: warehouse.emulator.url },
          ...{ QUERY_TIMEOUT: "60s", CACHE_TTL: "0ms", ...env },
        },
        port,
      );
      replicas.push(replica);
      return replica;
    },
    async open(replica, { query = "", context: settings = {}, showsNumbers = true, prepare } = {}) {
      const context = await browser.newContext({
        locale: "en-GB",
        viewport: { width: 1280, height: 900 },
        ...settings,
      });
      contexts.push(context);
      await prepare?.(context);
      const page = await context.newPage();
      const problems: string[] = [];
      const requests: string[] = [];
      page.on("console", (message) => problems.push(message.text()));
      page.on("pageerror", (error) => problems.push(String(error)));
      page.on("request", (request) => requests.push(request.url()));
      await page.goto(`${replica.url}/dashboard/${query}`);
      if (showsNumbers) {
        await page.locator("#retention .card-body > *").waitFor({ timeout: READ_MS });
        await page.locator("#breakdown-1 .card-body > *").waitFor({ timeout: READ_MS });
      }
      return { page, problems, requests };
    },
    async keepScreenshot(page, name, isWhole = false) {
      mkdirSync(ARTIFACTS, { recursive: true });
      await page.screenshot({ path: join(ARTIFACTS, `${name}.png`), fullPage: isWhole });
    },
  };
}
