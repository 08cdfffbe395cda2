import "../sdk";
import { Context, type Coder, type ProtoContext } from "apache-beam/coders/coders";
import { BytesCoder } from "apache-beam/coders/required_coders";
import type { Reader, Writer } from "protobufjs";

/** A key that a runner has split into shards, as Dataflow does for automatic sharding. */
export interface ShardedKey<K> {
  readonly key: K;
  readonly shardId: Uint8Array;
}

/** `beam:coder:sharded_key:v1`: the id of the shard with its length, then the key. */
export class ShardedKeyCoder<K> implements Coder<ShardedKey<K>> {
  static readonly URN = "beam:coder:sharded_key:v1";

  constructor(readonly keyCoder: Coder<K>) {}

  encode({ key, shardId }: ShardedKey<K>, writer: Writer): void {
    BytesCoder.INSTANCE.encode(shardId, writer, Context.needsDelimiters);
    this.keyCoder.encode(key, writer, Context.needsDelimiters);
  }

  decode(reader: Reader): ShardedKey<K> {
    const shardId = BytesCoder.INSTANCE.decode(reader, Context.needsDelimiters);
    return { shardId, key: this.keyCoder.decode(reader, Context.needsDelimiters) };
  }

  toProto(context: ProtoContext) {
    const componentCoderIds = [context.getCoderId(this.keyCoder)];
    return { spec: { urn: ShardedKeyCoder.URN, payload: new Uint8Array() }, componentCoderIds };
  }
}
