import { createIsbotFromList, isbot, list } from "isbot";
import { UAParser } from "ua-parser-js";
import type { Agent } from "@eventlogger/events/fields/origin";

/** Browsers, and bots that pretend to be one, begin their user agent in this way. */
const BROWSER = /^(?:mozilla|opera)\//i;

/**
 * Libraries and tools by which servers send events: how their user agents begin. Not those that apps on phones use too, such as
 * okhttp and Dart.
 */
const SERVERS =
  /^(?:node(?:-fetch)?|undici|axios|got|curl|wget|python[\w-]*|aiohttp|go-http-client|java|jetty|apache-httpclient|php|guzzlehttp|ruby|faraday|reqwest|deno|bun|analytics-(?:node|python|java|ruby|php|go)|segment-analytics-go)(?:[\s/]|$)/i;

/** User agents that are neither browsers nor bots. isbot takes every program for a bot that is not a browser. */
const PROGRAMS = [
  ...["node", "node-fetch/1.0 (+https://github.com/node-fetch/node-fetch)", "undici", "axios/1.6.0", "got"],
  ...[
    "curl/8.5.0",
    "Wget/1.21",
    "python-requests/2.31.0",
    "python-httpx/0.27",
    "aiohttp/3.9",
    "Python/3.12 aiohttp/3.9",
  ],
  ...[
    "Go-http-client/1.1",
    "Java/17.0.1",
    "Java-http-client/21.0.1",
    "Jetty/12.0",
    "Apache-HttpClient/4.5 (Java/17.0.1)",
  ],
  ...[
    "okhttp/4.9.0",
    "GuzzleHttp/7",
    "PHP/8.3",
    "Ruby",
    "Faraday v2.9",
    "reqwest/0.11",
    "Deno/1.40",
    "Bun/1.0",
    "Dart/3.0 (dart:io)",
  ],
  ...["analytics-node/3.1.0", "analytics-python/2.3.4", "analytics-java/3.5.2", "Segment-Analytics-Go", "My App 1.0"],
];

/** Tells bots from other programs that are no browsers: isbot's patterns without those that match programs. */
const isBotProgram = createIsbotFromList(
  list.filter((pattern) => !PROGRAMS.some((program) => new RegExp(pattern, "i").test(program))),
);

/** The platforms of native apps, by the names that ua-parser-js has for operating systems. */
const NATIVE: Readonly<Record<string, string>> = {
  iOS: "ios",
  Android: "android",
  "Mac OS": "macos",
  Windows: "windows",
  Linux: "linux",
};

/** Names are a few words. Longer ones are made up. */
const MAX_NAME = 64;

function name(text: string | undefined): string | null {
  return text === undefined || text === "" || text.length > MAX_NAME ? null : text;
}

function platformOf(userAgent: string, isBrowser: boolean, os: string | null): string | null {
  if (isBrowser) return "web";
  if (os !== null) return NATIVE[os] ?? null;
  return SERVERS.test(userAgent) ? "server" : null;
}

/**
 * What a user agent tells: names of the browser and the operating system without versions, the platform, and whether it is a
 * bot. Libraries by which servers send events are no bots: the events are those of people.
 */
export function agentOf(userAgent: string): Agent {
  const parser = new UAParser(userAgent);
  const os = name(parser.getOS().name);
  const isBrowser = BROWSER.test(userAgent);
  return {
    platform: platformOf(userAgent, isBrowser, os),
    browser: name(parser.getBrowser().name),
    os,
    is_bot: isBrowser ? isbot(userAgent) : isBotProgram(userAgent),
  };
}
