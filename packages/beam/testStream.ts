import "./sdk";
import protobufjs from "protobufjs";
import * as runnerApi from "apache-beam/proto/beam_runner_api";
import { Context } from "apache-beam/coders/coders";
import { StrUtf8Coder } from "apache-beam/coders/standard_coders";
import type { PCollection, Root } from "apache-beam";
import type { Pipeline } from "apache-beam/internal/pipeline";
import { withName, type PTransform } from "apache-beam/transforms/transform";

const TEST_STREAM_URN = "beam:transform:teststream:v1";

/** A step of a test stream: elements, an advance of the watermark, or an advance of processing time. */
export type TestStreamEvent =
  | { readonly elements: readonly { readonly value: string; readonly timestampMs: number }[] }
  | { readonly watermarkMs: number }
  | { readonly advanceProcessingTimeMs: number };

/** The largest event time of the Beam model, epoch ms, which no number keeps. */
const MAX_TIMESTAMP_MS = 9_223_372_036_854_775n;

/** The largest event time of the Beam model that is a number, epoch ms. A test stream ends when its watermark reaches it. */
export const END_OF_TIME_MS = 9_223_372_036_854_774;

/**
 * A source for tests: emits the given elements and advances the watermark as given. Elements are strings in the string
 * coder of the Beam model, because Flink decodes them itself. Flink does not support advances of processing time.
 */
export function testStream(name: string, events: readonly TestStreamEvent[]): PTransform<Root, PCollection<string>> {
  const coder = new StrUtf8Coder();
  function encode(value: string): Uint8Array {
    const writer = new protobufjs.Writer();
    coder.encode(value, writer, Context.wholeStream);
    return writer.finish();
  }
  function toProto(event: TestStreamEvent): runnerApi.TestStreamPayload_Event {
    if ("elements" in event) {
      const elements = event.elements.map(({ value, timestampMs }) => ({
        encodedElement: encode(value),
        timestamp: BigInt(timestampMs),
      }));
      return { event: { oneofKind: "elementEvent", elementEvent: { tag: "", elements } } };
    }
    if ("watermarkMs" in event) {
      const newWatermark = event.watermarkMs >= END_OF_TIME_MS ? MAX_TIMESTAMP_MS : BigInt(event.watermarkMs);
      return { event: { oneofKind: "watermarkEvent", watermarkEvent: { tag: "", newWatermark } } };
    }
    const advanceDuration = BigInt(event.advanceProcessingTimeMs);
    return { event: { oneofKind: "processingTimeEvent", processingTimeEvent: { advanceDuration } } };
  }
  function expandInternal(_root: Root, pipeline: Pipeline, proto: runnerApi.PTransform) {
    proto.spec = runnerApi.FunctionSpec.create({
      urn: TEST_STREAM_URN,
      payload: runnerApi.TestStreamPayload.toBinary(
        runnerApi.TestStreamPayload.create({
          coderId: pipeline.context.getCoderId(coder),
          events: events.map(toProto),
        }),
      ),
    });
    proto.environmentId = "";
    const { globalWindowing } = pipeline as unknown as { globalWindowing: string };
    return pipeline.createPCollectionInternal(coder, globalWindowing, runnerApi.IsBounded_Enum.UNBOUNDED);
  }
  return withName(name, expandInternal);
}
