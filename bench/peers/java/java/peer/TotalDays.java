package peer;

import java.util.HashMap;
import java.util.Map;
import org.apache.beam.sdk.coders.KvCoder;
import org.apache.beam.sdk.coders.VarIntCoder;
import org.apache.beam.sdk.state.StateSpec;
import org.apache.beam.sdk.state.StateSpecs;
import org.apache.beam.sdk.state.ValueState;
import org.apache.beam.sdk.transforms.DoFn;
import org.apache.beam.sdk.transforms.PTransform;
import org.apache.beam.sdk.transforms.ParDo;
import org.apache.beam.sdk.transforms.windowing.GlobalWindow;
import org.apache.beam.sdk.values.KV;
import org.apache.beam.sdk.values.PCollection;
import org.joda.time.Instant;

/** Absolute totals of each day with a version that grows. */
final class TotalDays {
  private TotalDays() {}

  private static final KvCoder<Integer, DayCounts> CODER =
      KvCoder.of(VarIntCoder.of(), DayCounts.DayCountsCoder.INSTANCE);

  /** Sums the changes of a bundle by day. */
  static final class SumBundles extends DoFn<KV<Integer, DayCounts>, KV<Integer, DayCounts>> {
    private transient Map<Integer, DayCounts> sums;

    @StartBundle
    public void start() {
      sums = new HashMap<>();
    }

    @ProcessElement
    public void process(@Element KV<Integer, DayCounts> change) {
      sums.merge(change.getKey(), change.getValue(), (a, b) -> a.plus(b, 0));
    }

    @FinishBundle
    public void finish(FinishBundleContext context) {
      sums.forEach((day, sum) -> context.output(KV.of(day, sum), Instant.now(), GlobalWindow.INSTANCE));
      sums = null;
    }
  }

  static final class AddToTotals extends DoFn<KV<Integer, DayCounts>, KV<Integer, DayCounts>> {
    @StateId("totals")
    private final StateSpec<ValueState<DayCounts>> totals = StateSpecs.value(DayCounts.DayCountsCoder.INSTANCE);

    @ProcessElement
    public void process(
        @Element KV<Integer, DayCounts> change,
        @StateId("totals") ValueState<DayCounts> state,
        OutputReceiver<KV<Integer, DayCounts>> out) {
      DayCounts stored = state.read();
      DayCounts known = stored == null ? DayCounts.ofUsers(0, 0) : stored;
      DayCounts next = known.plus(change.getValue(), known.version + 1);
      state.write(next);
      out.output(KV.of(change.getKey(), next));
    }
  }

  static final class KeepNewest extends DoFn<KV<Integer, DayCounts>, Void> {
    @ProcessElement
    public void process(@Element KV<Integer, DayCounts> day) {
      Progress.newest.merge(day.getKey(), day.getValue(), (a, b) -> b.version > a.version ? b : a);
    }
  }

  /** Sums changes within each bundle, which is what each ledger emits. */
  static PTransform<PCollection<KV<Integer, DayCounts>>, PCollection<KV<Integer, DayCounts>>> sumBundles() {
    return new PTransform<>() {
      @Override
      public PCollection<KV<Integer, DayCounts>> expand(PCollection<KV<Integer, DayCounts>> changes) {
        return changes.apply("SumBundles", ParDo.of(new SumBundles())).setCoder(CODER);
      }
    };
  }

  static KvCoder<Integer, DayCounts> coder() {
    return CODER;
  }
}
