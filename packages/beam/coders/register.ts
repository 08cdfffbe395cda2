/**
 * Registers the coders of the Beam model that the SDK lacks. The SDK's workers and the launcher find coders by their URN.
 * Every entry point of this library imports this module.
 */
import "../sdk";
import { globalRegistry, type Coder } from "apache-beam/coders/coders";
import "../rows/logicalTypes";
import { CustomWindowCoder } from "./customWindow";
import { ParamWindowedValueCoder } from "./paramWindowedValue";
import { ShardedKeyCoder } from "./shardedKey";
import { StateBackedIterableCoder } from "./stateBackedIterable";
import { TimerCoder } from "./timer";

for (const coder of [CustomWindowCoder, ParamWindowedValueCoder, ShardedKeyCoder, StateBackedIterableCoder]) {
  globalRegistry().registerConstructor(coder.URN, (...parts) => Reflect.construct(coder, parts) as Coder<unknown>);
}

/** The URNs of all coders of the Beam model that workers understand: they are capabilities of the environment. */
export const declaredCoderUrns: readonly string[] = [
  "beam:coder:bytes:v1",
  "beam:coder:bool:v1",
  "beam:coder:string_utf8:v1",
  "beam:coder:varint:v1",
  "beam:coder:double:v1",
  "beam:coder:kv:v1",
  "beam:coder:iterable:v1",
  "beam:coder:length_prefix:v1",
  "beam:coder:nullable:v1",
  "beam:coder:row:v1",
  "beam:coder:interval_window:v1",
  "beam:coder:global_window:v1",
  "beam:coder:windowed_value:v1",
  CustomWindowCoder.URN,
  ParamWindowedValueCoder.URN,
  ShardedKeyCoder.URN,
  StateBackedIterableCoder.URN,
  TimerCoder.URN,
];
