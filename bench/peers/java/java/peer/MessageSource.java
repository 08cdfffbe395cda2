package peer;

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.Serializable;
import java.util.List;
import java.util.NoSuchElementException;
import org.apache.beam.sdk.coders.Coder;
import org.apache.beam.sdk.coders.SerializableCoder;
import org.apache.beam.sdk.io.UnboundedSource;
import org.apache.beam.sdk.options.PipelineOptions;
import org.joda.time.Instant;

/** Reads the messages of a file as fast as they are taken, as an unbounded source that never ends. */
final class MessageSource extends UnboundedSource<Message, MessageSource.Position> {
  private static final int BUFFER_BYTES = 1 << 20;
  private static final long PUBLISH_DELAY_MS = 20;
  private static final long WATERMARK_DELAY_MS = 1000;

  private final String file;
  private final long count;

  MessageSource(String file, long count) {
    this.file = file;
    this.count = count;
  }

  /** Number of messages that a checkpoint contains. */
  static final class Position implements UnboundedSource.CheckpointMark, Serializable {
    final long read;

    Position(long read) {
      this.read = read;
    }

    @Override
    public void finalizeCheckpoint() {}
  }

  @Override
  public List<MessageSource> split(int desired, PipelineOptions options) {
    return List.of(this);
  }

  @Override
  public Coder<Position> getCheckpointMarkCoder() {
    return SerializableCoder.of(Position.class);
  }

  @Override
  public Coder<Message> getOutputCoder() {
    return Message.MessageCoder.INSTANCE;
  }

  @Override
  public UnboundedReader<Message> createReader(PipelineOptions options, Position position) throws IOException {
    Progress.readers.incrementAndGet();
    return new Reader(position == null ? 0 : position.read);
  }

  private final class Reader extends UnboundedReader<Message> {
    private final DataInputStream in = new DataInputStream(new BufferedInputStream(new FileInputStream(file), BUFFER_BYTES));
    private long read;
    private long time;
    private Message current;

    Reader(long skipped) throws IOException {
      while (read < skipped) next();
    }

    private void next() throws IOException {
      time = in.readLong();
      byte[] data = new byte[in.readInt()];
      in.readFully(data);
      current = new Message(data, "m" + read, time + PUBLISH_DELAY_MS);
      read++;
    }

    @Override
    public boolean start() throws IOException {
      return advance();
    }

    @Override
    public boolean advance() throws IOException {
      if (read >= count) return false;
      next();
      return true;
    }

    @Override
    public Message getCurrent() {
      if (current == null) throw new NoSuchElementException();
      return current;
    }

    @Override
    public Instant getCurrentTimestamp() {
      return new Instant(time);
    }

    @Override
    public Instant getWatermark() {
      return new Instant(time - WATERMARK_DELAY_MS);
    }

    @Override
    public CheckpointMark getCheckpointMark() {
      return new Position(read);
    }

    @Override
    public UnboundedSource<Message, ?> getCurrentSource() {
      return MessageSource.this;
    }

    @Override
    public void close() throws IOException {
      in.close();
    }
  }
}
