import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Base64;
import org.apache.beam.runners.flink.FlinkPipelineOptions;
import org.apache.beam.runners.flink.FlinkRunner;
import org.apache.beam.sdk.Pipeline;
import org.apache.beam.sdk.coders.KvCoder;
import org.apache.beam.sdk.coders.StringUtf8Coder;
import org.apache.beam.sdk.io.GenerateSequence;
import org.apache.beam.sdk.options.PipelineOptionsFactory;
import org.apache.beam.sdk.state.BagState;
import org.apache.beam.sdk.state.StateSpec;
import org.apache.beam.sdk.state.StateSpecs;
import org.apache.beam.sdk.transforms.DoFn;
import org.apache.beam.sdk.transforms.ParDo;
import org.apache.beam.sdk.values.KV;
import org.apache.beam.sdk.values.PCollection;

/**
 * The two steps of pipeline.ts in Beam Java on embedded Flink. State has the same form as that of a pipeline in TypeScript, and
 * fills faster, because no worker process takes part. Arguments: folder of Flink's configuration, keys, changes per second.
 */
public final class StateLoad {
  static String text(String seed, int length) throws Exception {
    byte[] hash = MessageDigest.getInstance("SHA-512").digest(seed.getBytes(StandardCharsets.UTF_8));
    return Base64.getUrlEncoder().encodeToString(hash).substring(0, length);
  }

  /** The nth write: every key once, and then pseudo-random keys at a limited rate. */
  static final class Write extends DoFn<Long, KV<String, String>> {
    private final long keys;
    private final long changesPerSecond;
    private transient long slept;

    Write(long keys, long changesPerSecond) {
      this.keys = keys;
      this.changesPerSecond = changesPerSecond;
    }

    @ProcessElement
    public void process(@Element Long n, OutputReceiver<KV<String, String>> out) throws Exception {
      if (n >= keys && ++slept % Math.max(1, changesPerSecond / 50) == 0) Thread.sleep(20);
      if (n % 500_000 == 0) System.out.println("write " + n);
      long key = n < keys ? n : Math.floorMod(n * 2654435761L, keys);
      out.output(KV.of(text("key" + key, 22), text("value" + n, 60)));
    }
  }

  static final class Keep extends DoFn<KV<String, String>, Void> {
    @StateId("record")
    private final StateSpec<BagState<String>> record = StateSpecs.bag(StringUtf8Coder.of());

    @ProcessElement
    public void process(@Element KV<String, String> write, @StateId("record") BagState<String> record) {
      record.read().forEach(value -> {});
      record.clear();
      record.add(write.getValue());
    }
  }

  public static void main(String[] args) {
    FlinkPipelineOptions options = PipelineOptionsFactory.create().as(FlinkPipelineOptions.class);
    options.setRunner(FlinkRunner.class);
    options.setJobName("state");
    options.setStreaming(true);
    options.setFlinkMaster("[local]");
    options.setFlinkConfDir(args[0]);
    options.setParallelism(1);
    options.setCheckpointingInterval(3000L);
    options.setExternalizedCheckpointsEnabled(true);
    options.setRetainExternalizedCheckpointsOnCancellation(true);
    options.setFinishBundleBeforeCheckpointing(true);
    options.setMaxBundleSize(5000L);
    Pipeline pipeline = Pipeline.create(options);
    long keys = Long.parseLong(args[1]);
    PCollection<KV<String, String>> writes =
        pipeline
            .apply(GenerateSequence.from(0))
            .apply("write", ParDo.of(new Write(keys, Long.parseLong(args[2]))))
            .setCoder(KvCoder.of(StringUtf8Coder.of(), StringUtf8Coder.of()));
    writes.apply("users", ParDo.of(new Keep()));
    writes.apply("sessions", ParDo.of(new Keep()));
    pipeline.run().waitUntilFinish();
  }
}
