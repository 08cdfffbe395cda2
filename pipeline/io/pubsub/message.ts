import "@eventlogger/beam/sdk";
import { GeneralObjectCoder } from "apache-beam/coders/js_coders";
import type { Coder } from "apache-beam/coders/coders";

/** A message as every source of the pipeline emits it. */
export interface PubSubMessage {
  readonly data: Uint8Array;
  readonly messageId: string;
  /** Epoch ms. */
  readonly publishTime: number;
  /**
   * The watermark that the source reported to the runner before it emitted this message, epoch ms. The windows of the
   * pipeline have seen no later one when the message reaches them. Absent when the source does not know it.
   */
  readonly watermark?: number;
  /**
   * Set for a message of the replay subscription: the value of its attribute `replay`, the generation that it is meant for; empty
   * if it lacks the attribute.
   */
  readonly replay?: string;
}

/** For messages that leave the source's stage. Runners fuse the source with the parser, so normally none do. */
export const pubSubMessageCoder: Coder<PubSubMessage> = new GeneralObjectCoder();
