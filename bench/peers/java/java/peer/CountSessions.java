package peer;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.apache.beam.sdk.coders.CannotProvideCoderException;
import org.apache.beam.sdk.coders.Coder;
import org.apache.beam.sdk.coders.CoderRegistry;
import org.apache.beam.sdk.coders.KvCoder;
import org.apache.beam.sdk.coders.StringUtf8Coder;
import org.apache.beam.sdk.coders.VarIntCoder;
import org.apache.beam.sdk.state.StateSpec;
import org.apache.beam.sdk.state.StateSpecs;
import org.apache.beam.sdk.state.ValueState;
import org.apache.beam.sdk.transforms.Combine;
import org.apache.beam.sdk.transforms.DoFn;
import org.apache.beam.sdk.transforms.PTransform;
import org.apache.beam.sdk.transforms.ParDo;
import org.apache.beam.sdk.transforms.windowing.AfterProcessingTime;
import org.apache.beam.sdk.transforms.windowing.AfterWatermark;
import org.apache.beam.sdk.transforms.windowing.DefaultTrigger;
import org.apache.beam.sdk.transforms.windowing.GlobalWindow;
import org.apache.beam.sdk.transforms.windowing.GlobalWindows;
import org.apache.beam.sdk.transforms.windowing.Sessions;
import org.apache.beam.sdk.transforms.windowing.Window;
import org.apache.beam.sdk.values.KV;
import org.apache.beam.sdk.values.PCollection;
import org.joda.time.Duration;
import org.joda.time.Instant;

/**
 * Changes of the numbers of sessions by day. Bundles are pre-combined: one element for each session of a bundle. Without
 * session windows they go to the ledger directly; with them through Beam's session windows with early firings.
 */
final class CountSessions extends PTransform<PCollection<Event>, PCollection<KV<Integer, DayCounts>>> {
  private static final long GAP_MS = 1_800_000;
  private static final Duration ALLOWED_LATENESS = Duration.standardHours(25);

  private final boolean usesWindows;
  private final long earlyMs;

  CountSessions(boolean usesWindows, long earlyMs) {
    this.usesWindows = usesWindows;
    this.earlyMs = earlyMs;
  }

  @Override
  public PCollection<KV<Integer, DayCounts>> expand(PCollection<Event> events) {
    KvCoder<String, long[]> bySession = KvCoder.of(StringUtf8Coder.of(), Intervals.IntervalsCoder.INSTANCE);
    KvCoder<Integer, DayCounts> byDay = KvCoder.of(VarIntCoder.of(), DayCounts.DayCountsCoder.INSTANCE);
    PCollection<KV<String, long[]>> intervals =
        events.apply("BundleIntervals", ParDo.of(new BundleIntervals())).setCoder(bySession);
    if (usesWindows) intervals = throughWindows(intervals, bySession);
    return intervals.apply("SessionLedger", ParDo.of(new SessionLedger())).setCoder(byDay);
  }

  private PCollection<KV<String, long[]>> throughWindows(
      PCollection<KV<String, long[]>> intervals, KvCoder<String, long[]> coder) {
    return intervals
        .apply(
            "SessionWindows",
            Window.<KV<String, long[]>>into(Sessions.withGapDuration(Duration.millis(GAP_MS)))
                .triggering(
                    AfterWatermark.pastEndOfWindow()
                        .withEarlyFirings(
                            AfterProcessingTime.pastFirstElementInPane().plusDelayOf(Duration.millis(earlyMs)))
                        .withLateFirings(
                            AfterProcessingTime.pastFirstElementInPane().plusDelayOf(Duration.standardSeconds(1))))
                .withAllowedLateness(ALLOWED_LATENESS)
                .discardingFiredPanes())
        .apply("UnionIntervals", Combine.perKey(new UnionIntervals()))
        .setCoder(coder)
        .apply("CountPanes", ParDo.of(new CountPanes()))
        .setCoder(coder)
        .apply(
            "GlobalWindow",
            Window.<KV<String, long[]>>into(new GlobalWindows())
                .triggering(DefaultTrigger.of())
                .withAllowedLateness(Duration.ZERO)
                .discardingFiredPanes());
  }

  /** The sessions of a bundle, keyed by day and session id. */
  static final class BundleIntervals extends DoFn<Event, KV<String, long[]>> {
    private transient Map<String, long[]> sessions;

    @StartBundle
    public void start() {
      sessions = new HashMap<>();
    }

    @ProcessElement
    public void process(@Element Event event) {
      sessions.merge(
          event.day() + "|" + event.sessionId, Intervals.at(event.time), (a, b) -> Intervals.union(a, b, GAP_MS));
    }

    @FinishBundle
    public void finish(FinishBundleContext context) {
      sessions.forEach(
          (key, intervals) -> {
            for (int i = 0; i < intervals.length; i += 2) {
              long[] interval = {intervals[i], intervals[i + 1]};
              context.output(KV.of(key, interval), new Instant(interval[1]), GlobalWindow.INSTANCE);
            }
          });
      sessions = null;
    }
  }

  static final class UnionIntervals extends Combine.CombineFn<long[], long[], long[]> {
    @Override
    public long[] createAccumulator() {
      return Intervals.NONE;
    }

    @Override
    public long[] addInput(long[] accumulator, long[] input) {
      return Intervals.union(accumulator, input, GAP_MS);
    }

    @Override
    public long[] mergeAccumulators(Iterable<long[]> accumulators) {
      long[] all = Intervals.NONE;
      for (long[] each : accumulators) all = Intervals.union(all, each, GAP_MS);
      return all;
    }

    @Override
    public long[] extractOutput(long[] accumulator) {
      return accumulator;
    }

    @Override
    public Coder<long[]> getAccumulatorCoder(CoderRegistry registry, Coder<long[]> input)
        throws CannotProvideCoderException {
      return Intervals.IntervalsCoder.INSTANCE;
    }
  }

  static final class CountPanes extends DoFn<KV<String, long[]>, KV<String, long[]>> {
    @ProcessElement
    public void process(@Element KV<String, long[]> pane, OutputReceiver<KV<String, long[]>> out) {
      Progress.panes.increment();
      out.output(pane);
    }
  }

  /** The intervals of each day and session id. Emits what they change in the counts of the day. */
  static final class SessionLedger extends DoFn<KV<String, long[]>, KV<Integer, DayCounts>> {
    @StateId("sessions")
    private final StateSpec<ValueState<long[]>> sessions = StateSpecs.value(Intervals.IntervalsCoder.INSTANCE);

    @ProcessElement
    public void process(
        @Element KV<String, long[]> element,
        @StateId("sessions") ValueState<long[]> state,
        OutputReceiver<KV<Integer, DayCounts>> out) {
      long[] stored = state.read();
      long[] known = stored == null ? Intervals.NONE : stored;
      long[] next = Intervals.union(known, element.getValue(), GAP_MS);
      if (Arrays.equals(known, next)) return;
      state.write(next);
      String key = element.getKey();
      int day = Integer.parseInt(key.substring(0, key.indexOf('|')));
      long sessionsChange = Intervals.count(next) - Intervals.count(known);
      out.output(
          KV.of(day, DayCounts.ofSessions(sessionsChange, Intervals.duration(next) - Intervals.duration(known))));
    }
  }
}
