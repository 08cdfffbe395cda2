import { FIRST_GENERATION } from "../bigquery/generations/generation";

export { FIRST_GENERATION };

/** A topic and its subscription. */
export interface TopicAndSubscription {
  readonly topic: string;
  readonly subscription: string;
}

/**
 * The topic through which stored events are replayed into a generation of the numbers, and the subscription by which the
 * pipeline of that generation reads it.
 * @param names the topic of published events, and the subscription of generation 1 (`--topic`, `--subscription`)
 */
export function replayNames({ topic, subscription }: TopicAndSubscription, generation: number): TopicAndSubscription {
  return { topic: `${topic}-replay-g${generation}`, subscription: replaySubscription(subscription, generation) };
}

/** The replay subscription of a generation; see {@link replayNames}. */
export function replaySubscription(subscription: string, generation: number): string {
  return `${subscription}-replay-g${generation}`;
}

/**
 * The subscription by which the pipeline of a generation reads live events.
 * @param subscription that of generation 1 (`--subscription`)
 */
export function liveSubscription(subscription: string, generation: number): string {
  return generation === FIRST_GENERATION ? subscription : `${subscription}-g${generation}`;
}
