import type { AnalyticsEvent } from "../event";
import type { PostedEventInput, PublishedEventInput } from "../eventSchema";
import type { FieldWarning } from "./fieldProblems";
import { referrerHost } from "./referrerHost";

/** What the user agent of a request tells about where its events come from. */
export type Agent = Pick<AnalyticsEvent, "platform" | "browser" | "os" | "is_bot">;

/** The agent of a request whose user agent is missing or not known. */
export const UNKNOWN_AGENT: Agent = Object.freeze({ platform: null, browser: null, os: null, is_bot: false });

/** What the receiver of an event knows about its sender. */
export interface Sender {
  /** The app of events that name none. */
  readonly app: string | null;
  readonly agent: Agent;
}

/** A sender that is not known. */
export const UNKNOWN_SENDER: Sender = Object.freeze({ app: null, agent: UNKNOWN_AGENT });

/** Where an event comes from. */
export type Origin = Agent & Pick<AnalyticsEvent, "app" | "referrer">;

/** Where a posted event comes from: what it states, else what is known about its sender. */
export function postedOrigin(input: PostedEventInput, { app, agent }: Sender, warnings: FieldWarning[]): Origin {
  return {
    app: input.app ?? app,
    platform: input.platform ?? agent.platform,
    referrer: postedReferrer(input.referrer, warnings),
    browser: agent.browser,
    os: agent.os,
    is_bot: agent.is_bot,
  };
}

function postedReferrer(given: string | null | undefined, warnings: FieldWarning[]): string | null {
  if (given === undefined || given === null) return null;
  const host = referrerHost(given);
  if (host !== undefined) return host;
  const message = "must be a URL with a host, or a host; it was read as null";
  warnings.push({ field: "referrer", code: "ignored", message });
  return null;
}

/** Where the event in a message comes from: messages of earlier releases do not tell. */
export function publishedOrigin(input: PublishedEventInput): Origin {
  const { app = null, platform = null, referrer = null, browser = null, os = null, is_bot = false } = input;
  return { app, platform, referrer, browser, os, is_bot };
}
