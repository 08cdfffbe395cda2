import "./sdk";
import protobufjs = require("protobufjs");
import * as runnerApi from "apache-beam/proto/beam_runner_api";
import { Context } from "apache-beam/coders/coders";
import { StrUtf8Coder } from "apache-beam/coders/standard_coders";
import type { PCollection, Root } from "apache-beam";
import type { Pipeline } from "apache-beam/internal/pipeline";
import { withName, type PTransform } from "apache-beam/transforms/transform";

const TEST_STREAM_URN = "beam:transform:teststream:v1";

export type TestStreamEvent =
  | { readonly elements: readonly { readonly value: string; readonly timestampMs: number }[] }
  | { readonly watermarkMs: number }
  | { readonly advanceProcessingTimeMs: number };

/** The watermark that ends a stream: the largest event time of the model. */
export const END_OF_TIME_MS = 9223371950454775;

/**
 * A source that gives out what a test says, with the watermark that the test says. Elements are texts, in the model's own
 * string coder: Flink decodes them itself. Flink does not know advances of processing time.
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
      const newWatermark = BigInt(event.watermarkMs);
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
