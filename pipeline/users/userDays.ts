import "@eventlogger/beam/sdk";
import type { KV } from "apache-beam/values";
import type { BundleDoFn, Emit, EmitTimestamped } from "@eventlogger/beam";
import { registerModule } from "@eventlogger/beam/registerModule";
import { dayOf } from "@eventlogger/events/day";
import type { ParsedEvent } from "../parse/parsedEvent";
import { shardHash, userShard } from "../shards";
import { encodeUserDays, type UserDays } from "./encoding";

/** Users that are collected before they are emitted; limits the memory of a large bundle. */
const MAX_USERS = 50_000;

/** Collects the distinct (user, day) pairs of a bundle, keyed by user shard. */
export class CollectUserDays implements BundleDoFn<ParsedEvent, KV<string, string>> {
  private users = new Map<string, number[]>();

  /** @param shardHashSecret key of the hash of users' shards, see `shardHash` */
  constructor(private readonly shardHashSecret: string | undefined) {}

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
    const hash = shardHash(this.shardHashSecret);
    const shards = new Map<string, UserDays[]>();
    for (const [userId, days] of this.users) {
      const key = userShard(hash, userId);
      const shard = shards.get(key);
      if (shard) shard.push({ userId, days });
      else shards.set(key, [{ userId, days }]);
    }
    this.users = new Map();
    for (const [key, users] of shards) emit({ key, value: encodeUserDays(users) });
  }
}

registerModule(module);
