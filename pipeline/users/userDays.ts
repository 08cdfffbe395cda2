import "@eventlogger/beam/sdk";
import type { KV } from "apache-beam/values";
import type { BundleDoFn, Emit, EmitTimestamped } from "@eventlogger/beam";
import { dayOf } from "@eventlogger/events/day";
import { userBucket } from "../shards";
import type { ParsedEvent } from "../parse/parsedEvent";
import type { UserDays } from "../encoding";
import { registerModule } from "@eventlogger/beam/registerModule";

/** Users of a bundle that are held back, at most. */
const MAX_USERS = 50_000;

/** The distinct (user, day) of a bundle, by bucket of users. */
export class CollectUserDays implements BundleDoFn<ParsedEvent, KV<string, string>> {
  private users = new Map<string, number[]>();

  startBundle(): void {
    this.users = new Map();
  }

  process({ event }: ParsedEvent, emit: Emit<KV<string, string>>): void {
    const { user_id: userId } = event;
    if (userId === null) return;
    const day = dayOf(event.event_time);
    const days = this.users.get(userId);
    if (!days) this.users.set(userId, [day]);
    else if (!days.includes(day)) days.push(day);
    if (this.users.size >= MAX_USERS) this.flush(emit);
  }

  finishBundle(emit: EmitTimestamped<KV<string, string>>): void {
    this.flush((kv) => emit(kv, Date.now()));
  }

  private flush(emit: (kv: KV<string, string>) => void): void {
    const buckets = new Map<string, UserDays>();
    for (const [userId, days] of this.users) {
      const key = userBucket(userId);
      const bucket = buckets.get(key);
      if (bucket) bucket.push([userId, ...days]);
      else buckets.set(key, [[userId, ...days]]);
    }
    this.users = new Map();
    for (const [key, bucket] of buckets) emit({ key, value: JSON.stringify(bucket) });
  }
}

registerModule(module);
