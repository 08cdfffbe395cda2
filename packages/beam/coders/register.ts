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
import "./timer";

for (const coder of [CustomWindowCoder, ParamWindowedValueCoder, ShardedKeyCoder, StateBackedIterableCoder]) {
  globalRegistry().registerConstructor(coder.URN, (...parts) => Reflect.construct(coder, parts) as Coder<unknown>);
}
