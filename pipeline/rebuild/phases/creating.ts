import { liveSubscriptionOf, previousGeneration, type RebuildContext } from "../context";

/**
 * Creates the subscriptions and the replay topic of the new generation. Every event that is published after the live subscription exists
 * reaches the new generation; every one before reaches the previous one, and so the table `events`. The cut-off is between them.
 */
export async function creating(context: RebuildContext): Promise<void> {
  const { services, session, report } = context;
  const { generation, subscription } = session.generation;
  const { takeOver } = session.record;
  if (!takeOver) {
    const previous = await previousGeneration(context);
    const original = liveSubscriptionOf(services.resources, previous);
    if (subscription === null) throw new Error(`The subscription of generation ${generation} is unknown`);
    report.doing(`creating subscription ${subscription}`);
    await services.resources.createLive(subscription, original);
  }
  report.doing("creating the replay topic");
  await services.resources.createReplay(generation);
  const cutOff = new Date(await services.store.now()).toISOString();
  await session.update({ phase: "replaying", cutOff });
}
