import "@eventlogger/beam/sdk";
import { count } from "@eventlogger/beam";
import { registerModule } from "@eventlogger/beam/registerModule";
import type { AnalyticsEvent } from "@eventlogger/events/event";
import type { Hash128 } from "@eventlogger/events/hash";
import { MAX_LINKED_USERS } from "@eventlogger/events/persons/anonymousId";
import type { MarkedDay } from "@eventlogger/events/persons/markedDay";
import { IdHash, userKey } from "../shards";
import { hashOfLink } from "../users/countedDays";
import { CollectDays, collectDay, NewDays, type CollectedDays, type CollectTools, type KeyedDays } from "./collectDays";
import { encodeAnonymousDays, type AnonymousDays } from "./encoding";

/** Anonymous ids that are collected before they are emitted; limits the memory of a large bundle. */
const MAX_IDS = 50_000;

/** An id with this number of users in one bundle is shared, whatever its other users are. */
const MAX_USERS = MAX_LINKED_USERS + 1;

/** Days of an anonymous id with one user, or without a user, and the same of the next user. */
interface SeenDays {
  readonly user: string | null;
  days: CollectedDays;
  readonly next: SeenDays | undefined;
  /** Number of users from this one on. */
  readonly users: number;
}

/** Collects the distinct days of the anonymous ids of a bundle and the users that they were seen with, keyed by anonymous id. */
export class CollectAnonymousDays extends CollectDays {
  private ids = new Map<string, SeenDays>();
  private userHash: IdHash | undefined;

  protected hasId(event: AnalyticsEvent): boolean {
    return event.anonymous_id !== null;
  }

  protected add({ anonymous_id: anonymousId, user_id: user }: AnalyticsEvent, day: MarkedDay): boolean {
    const { ids } = this;
    const id = anonymousId ?? "";
    const first = ids.get(id);
    let seen = first;
    while (seen && seen.user !== user) seen = seen.next;
    const users = first?.users ?? 0;
    if (seen) seen.days = collectDay(seen.days, day);
    else if (user === null || users < MAX_USERS) {
      ids.set(id, { user, days: day, next: first, users: users + (user === null ? 0 : 1) });
    }
    return ids.size >= MAX_IDS;
  }

  protected forget(): void {
    this.ids = new Map();
  }

  protected flush({ hash, counted }: CollectTools, emit: (kv: KeyedDays) => void): void {
    const { ids } = this;
    this.forget();
    const newDays = new NewDays(counted);
    for (const [id, first] of ids) {
      hash.update(id);
      const list = this.newDaysOf(hash, first, newDays);
      if (list.length > 0) emit({ key: userKey(hash), value: encodeAnonymousDays(list) });
    }
    if (newDays.skipped) count("anonymousDays.skipped", newDays.skipped);
  }

  /** @param hash of the anonymous id */
  private newDaysOf(hash: IdHash, first: SeenDays, newDays: NewDays): AnonymousDays[] {
    const userHash = (this.userHash ??= new IdHash(this.shardHashSecret));
    const link: Hash128 = new Uint32Array(hash.words.length);
    const list: AnonymousDays[] = [];
    for (let seen: SeenDays | undefined = first; seen; seen = seen.next) {
      const { user, days: collected } = seen;
      if (user === null) {
        const days = newDays.of(hash.words, collected);
        if (days) list.push({ user: undefined, days });
        continue;
      }
      userHash.update(user);
      hashOfLink(hash.words, userHash.words, link);
      const days = newDays.of(link, collected);
      if (days) list.push({ user: userKey(userHash), days });
    }
    return list;
  }
}

registerModule(module);
