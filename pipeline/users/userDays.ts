import "@eventlogger/beam/sdk";
import { count } from "@eventlogger/beam";
import { registerModule } from "@eventlogger/beam/registerModule";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import type { MarkedDay } from "@eventlogger/events/persons/markedDay";
import {
  CollectDays,
  collectDay,
  NewDays,
  type CollectedDays,
  type CollectTools,
  type KeyedDays,
} from "../persons/collectDays";
import { userKey } from "../shards";
import { encodeUserUpdate } from "./encoding";

/** Users that are collected before they are emitted; limits the memory of a large bundle. */
const MAX_USERS = 50_000;

/** Collects the distinct pairs of a user and a day of a bundle, keyed by user. */
export class CollectUserDays extends CollectDays {
  private users = new Map<string, CollectedDays>();

  protected hasId(event: AnalyticsEvent): boolean {
    return event.user_id !== null;
  }

  protected add({ user_id: userId }: AnalyticsEvent, day: MarkedDay): boolean {
    const { users } = this;
    const days = users.get(userId ?? "");
    const added = days === undefined ? day : collectDay(days, day);
    if (added !== days) users.set(userId ?? "", added);
    return users.size >= MAX_USERS;
  }

  protected forget(): void {
    this.users = new Map();
  }

  protected flush({ hash, counted }: CollectTools, emit: (kv: KeyedDays) => void): void {
    const { users } = this;
    this.forget();
    const newDays = new NewDays(counted);
    for (const [userId, collected] of users) {
      hash.update(userId);
      const days = newDays.of(hash.words, collected);
      if (days) emit({ key: userKey(hash), value: encodeUserUpdate({ kind: "days", days }) });
    }
    if (newDays.skipped) count("userDays.skipped", newDays.skipped);
  }
}

registerModule(module);
