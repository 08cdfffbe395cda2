package peer;

import java.util.HashSet;
import java.util.Set;
import org.apache.beam.sdk.coders.ByteArrayCoder;
import org.apache.beam.sdk.coders.KvCoder;
import org.apache.beam.sdk.coders.StringUtf8Coder;
import org.apache.beam.sdk.coders.VarIntCoder;
import org.apache.beam.sdk.state.StateSpec;
import org.apache.beam.sdk.state.StateSpecs;
import org.apache.beam.sdk.state.ValueState;
import org.apache.beam.sdk.transforms.DoFn;
import org.apache.beam.sdk.transforms.PTransform;
import org.apache.beam.sdk.transforms.ParDo;
import org.apache.beam.sdk.values.KV;
import org.apache.beam.sdk.values.PCollection;

/** Changes of the numbers of users by day. Bundles are pre-combined: one element for each user and day of a bundle. */
final class CountUsers extends PTransform<PCollection<Event>, PCollection<KV<Integer, DayCounts>>> {
  @Override
  public PCollection<KV<Integer, DayCounts>> expand(PCollection<Event> events) {
    return events
        .apply("BundleUserDays", ParDo.of(new BundleUserDays()))
        .setCoder(KvCoder.of(StringUtf8Coder.of(), VarIntCoder.of()))
        .apply("UserLedger", ParDo.of(new UserLedger()))
        .setCoder(KvCoder.of(VarIntCoder.of(), DayCounts.DayCountsCoder.INSTANCE));
  }

  /** The distinct users and days of a bundle. */
  static final class BundleUserDays extends DoFn<Event, KV<String, Integer>> {
    private transient Set<KV<String, Integer>> seen;

    @StartBundle
    public void start() {
      seen = new HashSet<>();
    }

    @ProcessElement
    public void process(@Element Event event, OutputReceiver<KV<String, Integer>> out) {
      if (event.userId == null) return;
      KV<String, Integer> userDay = KV.of(event.userId, event.day());
      if (seen.add(userDay)) out.output(userDay);
    }
  }

  /** Days of a user: the first day of a bitmap, a multiple of 8, in four bytes, then the bits. The arrays are never changed. */
  static final class ActiveDays {
    private static final int HEADER = 4;

    private ActiveDays() {}

    private static int start(byte[] days) {
      return (days[0] & 255) << 24 | (days[1] & 255) << 16 | (days[2] & 255) << 8 | (days[3] & 255);
    }

    static boolean has(byte[] days, int day) {
      int offset = day - start(days);
      return offset >= 0 && offset / 8 < days.length - HEADER && (days[HEADER + offset / 8] >> (offset % 8) & 1) == 1;
    }

    static int first(byte[] days) {
      for (int i = HEADER; i < days.length; i++) {
        if (days[i] != 0) return start(days) + (i - HEADER) * 8 + Integer.numberOfTrailingZeros(days[i] & 255);
      }
      throw new IllegalStateException("a set without days");
    }

    static byte[] with(byte[] days, int day) {
      int dayStart = Math.floorDiv(day, 8) * 8;
      int from = days == null ? dayStart : Math.min(start(days), dayStart);
      int to = Math.max(days == null ? 0 : start(days) + (days.length - HEADER) * 8, dayStart + 8);
      byte[] next = new byte[HEADER + (to - from) / 8];
      for (int i = 0; i < HEADER; i++) next[i] = (byte) (from >> (24 - 8 * i));
      if (days != null) {
        System.arraycopy(days, HEADER, next, HEADER + (start(days) - from) / 8, days.length - HEADER);
      }
      next[HEADER + (day - from) / 8] |= (byte) (1 << (day - from) % 8);
      return next;
    }
  }

  /** The active days of each user. Emits what they change in the counts of the days. */
  static final class UserLedger extends DoFn<KV<String, Integer>, KV<Integer, DayCounts>> {
    @StateId("days")
    private final StateSpec<ValueState<byte[]>> days = StateSpecs.value(ByteArrayCoder.of());

    @ProcessElement
    public void process(
        @Element KV<String, Integer> element,
        @StateId("days") ValueState<byte[]> state,
        OutputReceiver<KV<Integer, DayCounts>> out) {
      int day = element.getValue();
      byte[] known = state.read();
      if (known != null && ActiveDays.has(known, day)) return;
      state.write(ActiveDays.with(known, day));
      boolean isFirst = known == null || day < ActiveDays.first(known);
      out.output(KV.of(day, DayCounts.ofUsers(1, isFirst ? 1 : 0)));
      if (known != null && isFirst) out.output(KV.of(ActiveDays.first(known), DayCounts.ofUsers(0, -1)));
    }
  }
}
