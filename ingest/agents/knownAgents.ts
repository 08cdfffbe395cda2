import { UNKNOWN_AGENT, type Agent } from "@eventlogger/events/fields/origin";
import { agentOf } from "./agentOf";

/** Characters of a user agent that are read. Browsers have about 120. */
const MAX_LENGTH = 400;
/** User agents that are remembered, at most. */
const MAX_REMEMBERED = 10_000;

/**
 * Agents by their user agents. Parsing one takes tens of microseconds, so it is remembered: in two halves, of which the older one is
 * forgotten when the younger one is full. User agents are never stored elsewhere or logged.
 */
export class KnownAgents {
  private young = new Map<string, Agent>();
  private old = new Map<string, Agent>();

  /** @param max number of user agents that are remembered */
  constructor(
    private readonly max = MAX_REMEMBERED,
    private readonly parse: (userAgent: string) => Agent = agentOf,
  ) {}

  /** What a user agent tells (see {@link agentOf}); without one, nothing. */
  of(userAgent: string | undefined): Agent {
    if (userAgent === undefined || userAgent === "") return UNKNOWN_AGENT;
    const text = userAgent.length > MAX_LENGTH ? userAgent.slice(0, MAX_LENGTH) : userAgent;
    const known = this.young.get(text);
    if (known) return known;
    const agent = this.old.get(text) ?? this.parse(text);
    if (2 * (this.young.size + 1) > this.max) {
      this.old = this.young;
      this.young = new Map();
    }
    this.young.set(text, agent);
    return agent;
  }

  /** Number of user agents that are remembered. */
  get size(): number {
    return this.young.size + this.old.size;
  }
}
