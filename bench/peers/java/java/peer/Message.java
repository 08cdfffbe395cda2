package peer;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import org.apache.beam.sdk.coders.AtomicCoder;
import org.apache.beam.sdk.coders.ByteArrayCoder;
import org.apache.beam.sdk.coders.StringUtf8Coder;
import org.apache.beam.sdk.coders.VarLongCoder;

/** A Pub/Sub message. Immutable. */
final class Message {
  final byte[] data;
  final String id;
  /** Epoch ms. */
  final long publishTime;

  Message(byte[] data, String id, long publishTime) {
    this.data = data;
    this.id = id;
    this.publishTime = publishTime;
  }

  static final class MessageCoder extends AtomicCoder<Message> {
    static final MessageCoder INSTANCE = new MessageCoder();

    @Override
    public void encode(Message message, OutputStream out) throws IOException {
      ByteArrayCoder.of().encode(message.data, out);
      StringUtf8Coder.of().encode(message.id, out);
      VarLongCoder.of().encode(message.publishTime, out);
    }

    @Override
    public Message decode(InputStream in) throws IOException {
      byte[] data = ByteArrayCoder.of().decode(in);
      String id = StringUtf8Coder.of().decode(in);
      return new Message(data, id, VarLongCoder.of().decode(in));
    }
  }
}
