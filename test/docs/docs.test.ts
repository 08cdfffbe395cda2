import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { cliCommands, commandProblem, commandsOf, helpReader } from "./commands";
import { parseMarkdown } from "./markdown";
import { linkProblems, pathProblems } from "./references";
import { Repository } from "./repository";
import { shellCommands } from "./shell";

const README_LINES = 150;

describe("Documentation", function () {
  // Each command of the command line is started once.
  const repository = new Repository(repositoryRoot);
  const readHelp = helpReader(repositoryRoot);
  const pages = repository.files
    .filter((file) => file.endsWith(".md"))
    .map((file) => ({ file, page: parseMarkdown(repository.read(file)) }));

  it("covers the README, the pages under docs/ and the READMEs of packages", () => {
    for (const file of ["README.md", "docs/architecture.md", "docs/cli.md", "packages/beam/README.md"]) {
      assert.ok(
        pages.some((page) => page.file === file),
        `${file} is not checked`,
      );
    }
  });

  it("has a README of at most 150 lines", () => {
    const lines = repository.read("README.md").trimEnd().split("\n").length;
    assert.ok(lines <= README_LINES, `README.md has ${lines} lines`);
  });

  it("has no relative link to a file or a heading that does not exist", () => {
    assert.deepEqual(
      pages.flatMap(({ file, page }) => linkProblems(repository, file, page)),
      [],
    );
  });

  it("names no path of the repository that does not exist", () => {
    assert.deepEqual(
      pages.flatMap(({ file, page }) => pathProblems(repository, file, page)),
      [],
    );
  });

  it("shows only npm scripts, commands and options that exist", async () => {
    const problems: string[] = [];
    for (const { file, page } of pages) {
      for (const words of commandsOf(page)) {
        const problem = await commandProblem(repository, words, readHelp);
        if (problem !== undefined) problems.push(`${file}: ${words.join(" ")}: ${problem}`);
      }
    }
    assert.deepEqual(problems, []);
  });

  it("names every command of the command line in docs/cli.md", async () => {
    const { codeSpans } = parseMarkdown(repository.read("docs/cli.md"));
    const commands = await cliCommands(readHelp);
    assert.ok(commands.length > 0, "eventlogger --help lists commands");
    assert.deepEqual(
      commands.filter((command) => !codeSpans.includes(command)),
      [],
    );
  });
});

describe("The check of the documentation", () => {
  const HELP = "\nCommands:\n  eventlogger run  Run\n\n  --check  Check\n  --port  Port\n";
  let root = "";
  before(() => {
    root = mkdtempSync(join(tmpdir(), "docs-check-"));
    const files: Readonly<Record<string, string>> = {
      "package.json": '{"name":"x","scripts":{"up":"","bench:ingest":""}}',
      "docs/page.md": "# A `page`, with words\n\n## Twice\n\n## Twice\n",
      "packages/events/package.json": '{"name":"@eventlogger/events","scripts":{"test":""}}',
      "packages/events/day.ts": "",
      "node_modules/module/hidden.ts": "",
      "pipeline/bin/eventlogger.js": `process.stdout.write(${JSON.stringify(HELP)})`,
    };
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), text);
    }
  });
  after(() => rmSync(root, { recursive: true, force: true }));

  const links = (markdown: string, file = "README.md"): string[] =>
    linkProblems(new Repository(root), file, parseMarkdown(markdown));
  const paths = (markdown: string, file = "README.md"): string[] =>
    pathProblems(new Repository(root), file, parseMarkdown(markdown));
  const command = (markdown: string): Promise<(string | undefined)[]> =>
    Promise.all(
      commandsOf(parseMarkdown(markdown)).map((words) => commandProblem(new Repository(root), words, helpReader(root))),
    );

  it("reports a link to a missing file, a missing heading, or out of the repository", () => {
    assert.deepEqual(links("[a](docs/none.md)"), ["README.md: link docs/none.md: docs/none.md does not exist"]);
    assert.equal(links("[a](docs/page.md#none)").length, 1);
    assert.equal(links("[a](#none)").length, 1);
    assert.equal(links("[a](../other.md)").length, 1);
    assert.equal(links("[a]: docs/none.md\n").length, 1);
    assert.equal(links("[a](node_modules/module/hidden.ts)").length, 1);
  });

  it("accepts links to files, folders, headings and other sites, and ignores links in code", () => {
    const markdown =
      "# Top\n[a](docs/page.md) [b](docs/) [c](#top) [d](https://example.com/#x) [e](docs/page.md#a-page-with-words)\n" +
      "[f](docs/page.md#twice-1) `[g](none.md)`\n```\n[h](none.md)\n```\n";
    assert.deepEqual(links(markdown), []);
    assert.deepEqual(links("[up](../README.md)", "docs/page.md"), [
      "docs/page.md: link ../README.md: README.md does not exist",
    ]);
  });

  it("reports a path in backticks that does not exist, in the repository or beside the page", () => {
    assert.deepEqual(paths("See `docs/none.md`."), ["README.md: path `docs/none.md` does not exist"]);
    assert.equal(paths("`packages/events/none/*.ts`").length, 1);
    assert.equal(paths("`events/none.ts`", "packages/README.md").length, 1);
    assert.equal(paths("`packages/events/dist/none.js`").length, 1);
    assert.equal(paths("`@eventlogger/events/none` `@eventlogger/none`").length, 2);
  });

  it("accepts paths that exist, globs, placeholders, compiled files, and what is not a path", () => {
    const markdown =
      "`docs/` `docs/page.md` `packages/*/day.ts` `packages/NAME/day.ts` `packages/…/day.ts` `packages/<name>/day.ts` " +
      "`packages/{events,beam}/day.ts` `packages/events/dist/day.js` `@eventlogger/events/day` `@eventlogger/events` " +
      "`application/json` `docs/page.md and more`";
    assert.deepEqual(paths(markdown), []);
    assert.deepEqual(paths("`events/day.ts`", "packages/README.md"), []);
  });

  it("reports npm scripts, workspaces, commands and options that do not exist", async () => {
    assert.deepEqual(await command("```sh\nnpm run down\n```"), ['package.json has no script "down"']);
    assert.deepEqual(await command("`npm test`"), ['package.json has no script "test"']);
    assert.deepEqual(await command("`npm test -w packages/none`"), ["packages/none is not a package"]);
    assert.deepEqual(await command("`npm run up -w packages/events`"), [
      'packages/events/package.json has no script "up"',
    ]);
    assert.deepEqual(await command("`npm run none:*`"), ['package.json has no script "none:*"']);
    assert.deepEqual(await command("```sh\nnpx eventlogger walk\n```"), ["eventlogger has no command walk"]);
    assert.deepEqual(await command("```sh\nX=1 npx eventlogger run --fast\n```"), [
      "eventlogger run has no option --fast",
    ]);
    assert.deepEqual(await command("```sh\ndocker exec c node pipeline/bin/eventlogger.js walk\n```"), [
      "eventlogger has no command walk",
    ]);
    assert.deepEqual(await command("```sh\nnode ingest/dist/main.js --port 1\n```"), [
      "there is no program ingest/dist/main.js",
    ]);
  });

  it("accepts commands that exist, placeholders, and commands of other programs", async () => {
    const markdown =
      "```sh\nnpm run up && npm ci # npm run down\nnpx eventlogger run --port 1 \\\n  --no-check\nls --none\n" +
      "npx eventlogger --help\nnpm test -w packages/events\n```\n" +
      "`npm run bench:*` `npx eventlogger COMMAND` `npx eventlogger <command> --help`\n```json\nnpm run down\n```\n";
    assert.ok((await command(markdown)).every((problem) => problem === undefined));
  });

  it("takes shell text apart by quotes, comments, continued lines and separators", () => {
    assert.deepEqual(shellCommands("A=1 b 'c; d' \"e\" \\\n f # g\nh|i && j"), [
      ["b", "c; d", "e", "f"],
      ["h"],
      ["i"],
      ["j"],
    ]);
  });
});
