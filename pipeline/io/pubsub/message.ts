import "@eventlogger/beam/sdk";
import { GeneralObjectCoder } from "apache-beam/coders/js_coders";
import type { Coder } from "apache-beam/coders/coders";

/** A message as every source of the pipeline gives it out. */
export interface PubSubMessage {
  readonly data: Uint8Array;
  readonly messageId: string;
  /** Epoch ms. */
  readonly publishTime: number;
}

/** For messages that leave the step that read them; every runner fuses the parser with it, so they normally do not. */
export const pubSubMessageCoder: Coder<PubSubMessage> = new GeneralObjectCoder();
