import assert from "node:assert/strict";
import fc from "fast-check";
import { UNKNOWN_AGENT } from "@eventlogger/events/fields/origin";
import { agentOf } from "./agentOf";
import { KnownAgents } from "./knownAgents";

const CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0";
const LINUX = `Mozilla/5.0 (X11; Linux x86_64) ${CHROME} Safari/537.36`;

describe("agentOf", () => {
  const agents: [userAgent: string, platform: string | null, browser: string | null, os: string | null, bot?: true][] =
    [
      [LINUX, "web", "Chrome", "Linux"],
      [`Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:121.0) Gecko/20100101 Firefox/121.0`, "web", "Firefox", "Windows"],
      [
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1",
        ...(["web", "Mobile Safari", "iOS"] as const),
      ],
      [
        `Mozilla/5.0 (Linux; Android 13; Pixel 7; wv) ${CHROME} Mobile Safari/537.36`,
        "web",
        "Chrome WebView",
        "Android",
      ],
      ["Shop/1.0 CFNetwork/1410.0.3 Darwin/22.6.0", "ios", null, "iOS"],
      ["Dalvik/2.1.0 (Linux; U; Android 13; Pixel 7 Build/TQ2A)", "android", null, "Android"],
      ["okhttp/4.9.0", null, null, null],
      ["My App 1.0", null, null, null],
      ["node", "server", null, null],
      ["curl/8.5.0", "server", null, null],
      ["python-requests/2.31.0", "server", null, null],
      ["Go-http-client/1.1", "server", null, null],
      ["analytics-node/3.1.0", "server", null, null],
      ["analytics-python/2.3.4", "server", null, null],
      ["analytics-java/3.5.2", "server", null, null],
      ["Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "web", null, null, true],
      ["Mozilla/5.0 (compatible; GPTBot/1.1; +https://openai.com/gptbot)", "web", null, null, true],
      [LINUX.replace("Chrome/", "HeadlessChrome/"), "web", "Chrome Headless", "Linux", true],
      ["Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", null, null, null, true],
      ["facebookexternalhit/1.1", null, null, null, true],
      ["UptimeRobot/2.0", null, null, null, true],
    ];
  for (const [userAgent, platform, browser, os, bot = false] of agents) {
    it(`the user agent ${userAgent} is ${bot ? "that of a bot" : "not that of a bot"}`, () => {
      assert.deepEqual(agentOf(userAgent), { platform, browser, os, is_bot: bot });
    });
  }

  it("any text is a user agent, and its names have at most 64 characters", () => {
    const part = fc.oneof(
      fc.constantFrom(
        "Mozilla/5.0",
        "(",
        ")",
        ";",
        "Linux",
        "Android 13",
        "Chrome/1",
        "Version/4",
        "; wv",
        "like Mac OS X",
      ),
      fc.string({ unit: "binary-ascii", maxLength: 100 }),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
        const { platform, browser, os, is_bot } = agentOf(parts.join(" ").slice(0, 400));
        for (const name of [platform, browser, os]) assert.ok(name === null || (name.length > 0 && name.length <= 64));
        assert.equal(typeof is_bot, "boolean");
      }),
      { numRuns: 300 },
    );
  });
});

describe("KnownAgents", () => {
  const counted = (max: number): { known: KnownAgents; parsed: string[] } => {
    const parsed: string[] = [];
    return { parsed, known: new KnownAgents(max, (text) => (parsed.push(text), agentOf(text))) };
  };

  it("a user agent is parsed once", () => {
    const { known, parsed } = counted(10);
    for (let i = 0; i < 100; i++) assert.equal(known.of(LINUX).browser, "Chrome");
    assert.deepEqual(parsed, [LINUX]);
  });

  it("a bounded number of user agents is remembered, and the ones in use are not forgotten", () => {
    const { known, parsed } = counted(10);
    for (let i = 0; i < 1000; i++) {
      known.of(LINUX);
      known.of(`curl/${i}`);
      assert.ok(known.size <= 10);
    }
    assert.equal(parsed.filter((text) => text === LINUX).length, 1);
  });

  it("a request without a user agent has an unknown agent, and only the beginning of a long one is read", () => {
    const { known, parsed } = counted(10);
    assert.deepEqual([known.of(undefined), known.of("")], [UNKNOWN_AGENT, UNKNOWN_AGENT]);
    known.of("x".repeat(16_000));
    assert.deepEqual(parsed, ["x".repeat(400)]);
  });
});
