import "@eventlogger/beam/sdk";
import { registerModule } from "@eventlogger/beam/registerModule";
import type { KV } from "apache-beam/values";
import type { ParsedEvent } from "../parse/parsedEvent";
import { parsedEvent } from "./parsedEvents";

/** `user session time anonymousId` -> an event; `time` in epoch ms, `-` for no user, the last is optional. The text `fail` fails the bundle. */
export class TextEvents {
  *process(text: string): Iterable<ParsedEvent> {
    if (text === "fail") throw new Error("this bundle fails");
    const [user = "", session_id = "", time, anonymous_id = null] = text.split(" ");
    yield parsedEvent({ user_id: user === "-" ? null : user, anonymous_id, session_id, event_time: Number(time) });
  }
}

/** A keyed text -> `key value`. */
export class PairTexts {
  *process({ key, value }: KV<string, string>): Iterable<string> {
    yield `${key} ${value}`;
  }
}

registerModule(module);
