import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { graphHtml } from "@eventlogger/pipeline/runners/dataflow/graph/graphHtml";
import type { GraphNode, PipelineGraph } from "@eventlogger/pipeline/runners/dataflow/graph/pipelineGraph";
import type { Browser, Page } from "playwright-core";
import { findChromium, startChromium } from "../client/testing/chromium";

const node = (id: string, more: Partial<GraphNode> = {}): GraphNode => ({
  ...{ id, label: id.replace(/^.*\//, ""), parent: id.includes("/") ? id.replace(/\/[^/]*$/, "") : null },
  ...{ isComposite: false, kind: "processes elements", runsIn: "TypeScript", keeps: null, cells: [], windows: null },
  resource: null,
  ...more,
});
const composite = { isComposite: true, kind: "composite", runsIn: "parts" } as const;

const GRAPH: PipelineGraph = {
  nodes: [
    node("Count", composite),
    node("Count/ByKey"),
    node("Count/Ledger", { keeps: "state", cells: ["users"], windows: "global windows" }),
    node("Count/Sum", composite),
    node("Count/Sum/One"),
    node("Count/Sum/Two"),
    node("Read", { kind: "reads a subscription", resource: "subscription events-pipeline", keeps: "position" }),
    node("Write", { runsIn: "Java", resource: "table analytics.events" }),
  ],
  edges: [
    { from: "Read", to: "Count/ByKey" },
    { from: "Count/ByKey", to: "Count/Ledger" },
    { from: "Count/Ledger", to: "Count/Sum/One" },
    { from: "Count/Sum/One", to: "Count/Sum/Two" },
    { from: "Count/Sum/Two", to: "Write" },
  ],
};

describe("The page of a job's graph, in Chromium", () => {
  let dir: string;
  let browser: Browser;
  let page: Page;
  const errors: string[] = [];
  const requests: string[] = [];

  before(async function () {
    if (!findChromium()) this.skip();
    dir = mkdtempSync(join(tmpdir(), "graph-page-"));
    writeFileSync(join(dir, "graph.html"), graphHtml(GRAPH, { title: "Job x", facts: [["Region", "europe-west1"]] }));
    browser = await startChromium();
  });
  beforeEach(async () => {
    page = await browser.newPage();
    page.on("pageerror", (error) => errors.push(String(error)));
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    page.on("request", (request) => requests.push(request.url()));
    await page.goto(pathToFileURL(join(dir, "graph.html")).href);
  });
  afterEach(() => page.close());
  after(async () => {
    await browser?.close();
    if (dir) rmSync(dir, { recursive: true });
  });

  /** Names of the boxes, in the order of the Tab key. */
  const boxes = async (): Promise<(string | null)[]> =>
    Promise.all((await page.locator("#graph .node").all()).map((box) => box.getAttribute("data-id")));
  const focused = (): Promise<string | null> => page.locator(":focus").getAttribute("data-id");
  const details = (): Promise<string> => page.locator("#details").innerText();

  it("shows closed composites at first, and loads nothing else", async () => {
    assert.deepEqual(await boxes(), ["Read", "Count", "Write"]);
    assert.equal(await page.locator("#graph path.edge").count(), 2);
    assert.deepEqual([errors, requests.filter((url) => !url.endsWith("/graph.html"))], [[], []]);
  });

  it("opens and closes composites, and moves along the flow of elements, by keyboard alone", async () => {
    await page.focus('#graph [data-id="Read"]');
    await page.keyboard.press("ArrowDown");
    assert.equal(await focused(), "Count");
    await page.keyboard.press("Enter");
    assert.deepEqual((await boxes()).sort(), ["Count", "Count/ByKey", "Count/Ledger", "Count/Sum", "Read", "Write"]);
    assert.equal(await page.locator('#graph [data-id="Count"]').getAttribute("aria-expanded"), "true");
    await page.focus('#graph [data-id="Count/ByKey"]');
    await page.keyboard.press("ArrowDown");
    assert.equal(await focused(), "Count/Ledger");
    const text = await details();
    for (const expected of [/state: users/, /global windows/, /Gets elements from\s+Count\/ByKey/]) {
      assert.match(text, expected);
    }
    await page.keyboard.press("Escape");
    assert.equal(await focused(), "Count");
    assert.deepEqual(await boxes(), ["Read", "Count", "Write"]);
  });

  it("finds a step by a part of its name, and opens the composites around it", async () => {
    await page.fill("#find", "two");
    await page.press("#find", "Enter");
    assert.equal(await focused(), "Count/Sum/Two");
    assert.match(await details(), /Sends elements to\s+Write/);
    await page.click("#collapse");
    assert.deepEqual(await boxes(), ["Read", "Count", "Write"]);
    await page.click("#expand");
    assert.equal((await boxes()).length, GRAPH.nodes.length);
    assert.equal(await page.locator("#graph path.edge").count(), GRAPH.edges.length);
  });

  it("has every step in a list for readers without scripts", async () => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const plain = await context.newPage();
    await plain.goto(pathToFileURL(join(dir, "graph.html")).href);
    const text = (await plain.locator("section").textContent()) ?? "";
    for (const { label } of GRAPH.nodes) assert.ok(text.includes(label), label);
    assert.ok(!(await plain.locator("#toolbar").isVisible()));
    await context.close();
  });
});
