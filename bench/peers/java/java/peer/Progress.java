package peer;

import java.util.TreeMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.Collectors;

/** What the steps have done so far. The embedded Flink runs in the process that reads it. */
final class Progress {
  private Progress() {}

  static final LongAdder events = new LongAdder();
  static final LongAdder deadLetters = new LongAdder();
  static final LongAdder rows = new LongAdder();
  static final LongAdder panes = new LongAdder();
  /** Readers that were created: more than one means that the job restarted. */
  static final AtomicInteger readers = new AtomicInteger();
  /** The newest version of each day. */
  static final Map<Integer, DayCounts> newest = new ConcurrentHashMap<>();

  /** The totals, in the form of the expected ones. */
  static String totals() {
    return new TreeMap<>(newest)
        .entrySet().stream()
            .map(day -> "day " + day.getKey() + ", " + day.getValue().text())
            .collect(Collectors.joining("; "));
  }
}
