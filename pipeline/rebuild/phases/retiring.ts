import { liveSubscriptionOf, previousGeneration, type RebuildContext } from "../context";
import { replayChanged } from "../replayPartitions";

/**
 * Hands the new generation over to the pipeline of the user, ends the previous one, and removes what belongs to it.
 *
 * A message from before the cut-off can still wait for its redelivery, for example because a worker was killed, so that nobody knew of it.
 * When the previous pipeline has ended, such messages are published again, and rows that it has written late are replayed.
 */
export async function retiring(context: RebuildContext): Promise<void> {
  const { services, session, report, signal, times } = context;
  const { keepOld, takeOver, cutOff } = session.record;
  const previous = await previousGeneration(context);
  report.doing("handing over");
  await services.driver.handOver(previous, session.generation);
  if (!keepOld) {
    report.doing(`waiting for the end of the pipeline of generation ${previous.generation}`);
    await services.driver.end(previous, signal);
    const subscription = liveSubscriptionOf(services.resources, previous);
    if (!takeOver && subscription !== session.generation.subscription) {
      report.doing(`emptying subscription ${subscription}`);
      // Later ones are in the subscription of the new generation, too.
      const until = Date.parse(cutOff ?? session.generation.createdAt) + times.clockSkewMs;
      const forwarded = await services.resources.forwardBacklog(subscription, until, signal);
      if (forwarded > 0)
        report.say(`published ${forwarded.toLocaleString("en")} messages of subscription ${subscription} again`);
      await replayChanged(context);
      await services.resources.deleteLive(subscription);
    }
    await services.resources.deleteReplay(previous);
    await services.driver.removeState(previous);
    report.say(`generation ${previous.generation} is retired, and its resources are removed`);
  }
  await session.finish();
}
