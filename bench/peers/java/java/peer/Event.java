package peer;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import org.apache.beam.sdk.coders.AtomicCoder;
import org.apache.beam.sdk.coders.Coder;
import org.apache.beam.sdk.coders.NullableCoder;
import org.apache.beam.sdk.coders.StringUtf8Coder;
import org.apache.beam.sdk.coders.VarLongCoder;

/** A valid event. Immutable once it is parsed. */
final class Event {
  static final long DAY_MS = 86_400_000;

  String eventId;
  String sessionId;
  String eventName;
  /** Epoch ms. */
  long time;
  String userId;
  String page;
  String country;
  String region;
  String city;
  /** JSON. */
  String properties;
  /** Epoch ms. */
  long receivedAt;

  /** Epoch day. */
  int day() {
    return (int) Math.floorDiv(time, DAY_MS);
  }

  /** By hand, because Java serialization would cost most of the time of a Java pipeline. */
  static final class EventCoder extends AtomicCoder<Event> {
    static final EventCoder INSTANCE = new EventCoder();
    private static final Coder<String> TEXT = NullableCoder.of(StringUtf8Coder.of());
    private static final VarLongCoder TIME = VarLongCoder.of();

    @Override
    public void encode(Event e, OutputStream out) throws IOException {
      TIME.encode(e.time, out);
      TIME.encode(e.receivedAt, out);
      TEXT.encode(e.eventId, out);
      TEXT.encode(e.sessionId, out);
      TEXT.encode(e.eventName, out);
      TEXT.encode(e.userId, out);
      TEXT.encode(e.page, out);
      TEXT.encode(e.country, out);
      TEXT.encode(e.region, out);
      TEXT.encode(e.city, out);
      TEXT.encode(e.properties, out);
    }

    @Override
    public Event decode(InputStream in) throws IOException {
      Event e = new Event();
      e.time = TIME.decode(in);
      e.receivedAt = TIME.decode(in);
      e.eventId = TEXT.decode(in);
      e.sessionId = TEXT.decode(in);
      e.eventName = TEXT.decode(in);
      e.userId = TEXT.decode(in);
      e.page = TEXT.decode(in);
      e.country = TEXT.decode(in);
      e.region = TEXT.decode(in);
      e.city = TEXT.decode(in);
      e.properties = TEXT.decode(in);
      return e;
    }
  }
}
