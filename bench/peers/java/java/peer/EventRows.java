package peer;

import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.beam.sdk.transforms.DoFn;

/** Rows of the table of raw events, and a sink that counts them. */
final class EventRows {
  private EventRows() {}

  static final class ToEventRows extends DoFn<Event, Map<String, String>> {
    @ProcessElement
    public void process(@Element Event event, OutputReceiver<Map<String, String>> out) {
      String time = Instant.ofEpochMilli(event.time).toString();
      Map<String, String> row = new LinkedHashMap<>(16);
      row.put("event_id", event.eventId);
      row.put("session_id", event.sessionId);
      row.put("event_name", event.eventName);
      row.put("event_time", time);
      row.put("event_date", time.substring(0, 10));
      row.put("user_id", event.userId);
      row.put("page", event.page);
      row.put("country", event.country);
      row.put("region", event.region);
      row.put("city", event.city);
      row.put("properties", event.properties);
      row.put("received_at", Instant.ofEpochMilli(event.receivedAt).toString());
      out.output(row);
    }
  }

  static final class CountRows extends DoFn<Map<String, String>, Void> {
    @ProcessElement
    public void process(@Element Map<String, String> row) {
      Progress.rows.increment();
    }
  }
}
