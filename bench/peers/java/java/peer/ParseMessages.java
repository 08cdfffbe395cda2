package peer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.Iterator;
import java.util.Set;
import org.apache.beam.sdk.transforms.DoFn;
import org.apache.beam.sdk.values.TupleTag;

/** Parses messages in Avro's JSON encoding, with the rules of packages/events, into events and dead letters. */
final class ParseMessages extends DoFn<Message, Event> {
  static final TupleTag<Event> EVENTS = new TupleTag<>() {};
  static final TupleTag<String> DEAD_LETTERS = new TupleTag<>() {};

  private static final Set<String> FIELDS =
      Set.of(
          "type",
          "event_id",
          "session_id",
          "event_name",
          "event_time",
          "user_id",
          "page",
          "country",
          "region",
          "city",
          "properties",
          "received_at");
  private static final int MAX_ID = 128;
  private static final int MAX_USER_ID = 256;
  private static final int MAX_TEXT = 1024;
  private static final int MAX_PROPERTIES = 16 * 1024;
  /** Numbers from here on are milliseconds, smaller ones seconds. */
  private static final double MILLISECONDS_FROM = 1e11;

  private transient ObjectMapper json;

  static final class InvalidEventException extends Exception {
    InvalidEventException(String message) {
      super(message);
    }
  }

  @Setup
  public void setup() {
    json = new ObjectMapper();
  }

  @ProcessElement
  public void process(@Element Message message, MultiOutputReceiver out) {
    Event event;
    try {
      event = parse(message);
    } catch (InvalidEventException | IOException | DateTimeParseException invalid) {
      Progress.deadLetters.increment();
      out.get(DEAD_LETTERS).output(invalid.getMessage());
      return;
    }
    Progress.events.increment();
    out.get(EVENTS).output(event);
  }

  private Event parse(Message message) throws IOException, InvalidEventException {
    JsonNode node = json.readTree(message.data);
    if (!node.isObject()) throw new InvalidEventException("not an object");
    for (Iterator<String> names = node.fieldNames(); names.hasNext(); ) {
      String name = names.next();
      if (!FIELDS.contains(name)) throw new InvalidEventException("unknown field " + name);
    }
    if (!"event".equals(text(node, "type", MAX_ID, true))) throw new InvalidEventException("type must be event");
    Event event = new Event();
    String id = text(node, "event_id", MAX_ID, false);
    event.eventId = id == null ? message.id : id;
    event.sessionId = text(node, "session_id", MAX_ID, true);
    event.eventName = text(node, "event_name", MAX_ID, true);
    event.userId = text(node, "user_id", MAX_USER_ID, false);
    event.page = text(node, "page", MAX_TEXT, false);
    event.country = text(node, "country", MAX_TEXT, false);
    event.region = text(node, "region", MAX_TEXT, false);
    event.city = text(node, "city", MAX_TEXT, false);
    event.properties = properties(node);
    JsonNode receivedAt = node.get("received_at");
    event.receivedAt = receivedAt == null ? message.publishTime : receivedAt.longValue();
    event.time = time(node.get("event_time"));
    if (event.time < 0 || event.time > event.receivedAt + Event.DAY_MS) {
      throw new InvalidEventException("event_time is out of range");
    }
    return event;
  }

  /** A text, as itself or as Avro's union `{"string": text}`; null when it is missing or null. */
  private static String text(JsonNode node, String name, int max, boolean isRequired) throws InvalidEventException {
    JsonNode value = node.get(name);
    if (value != null && value.isObject() && value.size() == 1 && value.has("string")) value = value.get("string");
    if (value == null || value.isNull()) {
      if (isRequired) throw new InvalidEventException(name + " is required");
      return null;
    }
    if (!value.isTextual()) throw new InvalidEventException(name + " must be a text");
    String text = value.textValue();
    if (text.length() > max || (isRequired && text.isEmpty())) throw new InvalidEventException(name + " has a wrong length");
    for (int i = 0; i < text.length(); i++) {
      if (!Character.isSurrogate(text.charAt(i))) continue;
      boolean isPair = Character.isHighSurrogate(text.charAt(i)) && i + 1 < text.length();
      if (!isPair || !Character.isLowSurrogate(text.charAt(++i))) {
        throw new InvalidEventException(name + " is not well-formed");
      }
    }
    return text;
  }

  private static long time(JsonNode value) throws InvalidEventException {
    if (value != null && value.isNumber()) {
      double number = value.doubleValue();
      return Math.round(number < MILLISECONDS_FROM ? number * 1000 : number);
    }
    if (value != null && value.isTextual()) return Instant.parse(value.textValue()).toEpochMilli();
    throw new InvalidEventException("event_time must be a number or a text");
  }

  private String properties(JsonNode node) throws IOException, InvalidEventException {
    JsonNode value = node.get("properties");
    if (value != null && value.isTextual()) value = json.readTree(value.textValue());
    if (value == null || value.isNull()) return null;
    if (!value.isObject()) throw new InvalidEventException("properties must be an object");
    String text = json.writeValueAsString(value);
    if (text.length() > MAX_PROPERTIES) throw new InvalidEventException("properties are too large");
    return text;
  }
}
