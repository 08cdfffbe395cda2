import { Analytics, type Context } from "@segment/analytics-node";
import type { Call } from "./calls";
import type { Sender } from "./sender";

function make(
  analytics: Analytics,
  { kind, id, user, anonymous, name, time }: Call,
  done: (error: unknown) => void,
): void {
  const common = { messageId: id, userId: user, timestamp: new Date(time) };
  const both = { ...common, anonymousId: anonymous };
  const callback = (error: unknown, ctx?: Context): void => done(error ?? ctx?.failedDelivery()?.reason);
  switch (kind) {
    case "track":
      return analytics.track({ ...both, event: name, properties: { price: 12.5 } }, callback);
    case "page":
      return analytics.page({ ...both, name }, callback);
    case "screen":
      return analytics.screen({ ...both, name }, callback);
    case "identify":
      return analytics.identify({ ...both, traits: { plan: "pro" } }, callback);
    case "alias":
      return analytics.alias({ ...common, previousId: anonymous }, callback);
    case "group":
      return analytics.group({ ...both, groupId: name }, callback);
  }
}

/** Sends with @segment/analytics-node, in this process. */
export const sendWithNode: Sender = async ({ url, writeKey, calls }) => {
  const analytics = new Analytics({ host: url, writeKey, flushAt: 50, flushInterval: 200 });
  const sent = calls.map(
    (call) =>
      new Promise<void>((resolve, reject) =>
        make(analytics, call, (error) =>
          error ? reject(new Error(`${call.id} was not sent`, { cause: error })) : resolve(),
        ),
      ),
  );
  await Promise.all(sent);
  await analytics.flush({ close: true });
};
