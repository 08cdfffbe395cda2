package peer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.beam.runners.flink.FlinkRunner;
import org.apache.beam.sdk.Pipeline;
import org.apache.beam.sdk.coders.MapCoder;
import org.apache.beam.sdk.coders.NullableCoder;
import org.apache.beam.sdk.coders.StringUtf8Coder;
import org.apache.beam.sdk.io.Read;
import org.apache.beam.sdk.options.PipelineOptionsFactory;
import org.apache.beam.sdk.transforms.Flatten;
import org.apache.beam.sdk.transforms.ParDo;
import org.apache.beam.sdk.values.KV;
import org.apache.beam.sdk.values.PCollection;
import org.apache.beam.sdk.values.PCollectionList;
import org.apache.beam.sdk.values.PCollectionTuple;
import org.apache.beam.sdk.values.TupleTagList;

/**
 * The pipeline of the benchmark in Beam Java: the same rollups as the product's, from the same messages. It prints lines for
 * the benchmark: `first`, `progress N`, `read`, `exact`. It ends when its totals equal the expected ones, or on SIGTERM.
 * Exit codes: 0 exact, 1 the job failed.
 */
public final class Main {
  private Main() {}

  private static final long POLL_MS = 20;
  private static final long PROGRESS_EVERY_MS = 5000;

  private static Pipeline build(PeerOptions options) {
    Pipeline pipeline = Pipeline.create(options);
    PCollectionTuple parsed =
        pipeline
            .apply("Read", Read.from(new MessageSource(options.getMessages(), options.getEvents())))
            .apply(
                "ParseMessages",
                ParDo.of(new ParseMessages())
                    .withOutputTags(ParseMessages.EVENTS, TupleTagList.of(ParseMessages.DEAD_LETTERS)));
    PCollection<Event> events = parsed.get(ParseMessages.EVENTS).setCoder(Event.EventCoder.INSTANCE);
    parsed.get(ParseMessages.DEAD_LETTERS).setCoder(StringUtf8Coder.of());
    events
        .apply("ToEventRows", ParDo.of(new EventRows.ToEventRows()))
        .setCoder(MapCoder.of(StringUtf8Coder.of(), NullableCoder.of(StringUtf8Coder.of())))
        .apply("WriteEvents", ParDo.of(new EventRows.CountRows()));
    PCollection<KV<Integer, DayCounts>> sessions =
        events
            .apply("CountSessions", new CountSessions(options.getSessionWindows(), options.getEarlyMs()))
            .apply("SessionDeltas", TotalDays.sumBundles());
    PCollection<KV<Integer, DayCounts>> users =
        events.apply("CountUsers", new CountUsers()).apply("UserDeltas", TotalDays.sumBundles());
    PCollectionList.of(sessions)
        .and(users)
        .apply("AllDeltas", Flatten.pCollections())
        .setCoder(TotalDays.coder())
        .apply("DayTotals", ParDo.of(new TotalDays.AddToTotals()))
        .setCoder(TotalDays.coder())
        .apply("WriteRollupVersions", ParDo.of(new TotalDays.KeepNewest()));
    return pipeline;
  }

  private static void print(String line) {
    System.out.println(line);
    System.out.flush();
  }

  private static void report(PeerOptions options) throws InterruptedException, IOException {
    String expected = Files.readString(Path.of(options.getExpected())).trim();
    while (Progress.events.sum() == 0) Thread.sleep(POLL_MS);
    print("first");
    boolean isRead = false;
    long reportedAt = System.nanoTime();
    for (; ; ) {
      Thread.sleep(POLL_MS);
      long events = Progress.events.sum();
      if (!isRead && events >= options.getEvents()) {
        print("read");
        isRead = true;
      }
      if ((System.nanoTime() - reportedAt) / 1_000_000 >= PROGRESS_EVERY_MS) {
        reportedAt = System.nanoTime();
        print("progress " + events + " events, " + Progress.panes.sum() + " panes; " + Progress.totals());
      }
      if (isRead && Progress.rows.sum() >= options.getEvents() && Progress.totals().equals(expected)) {
        if (Progress.deadLetters.sum() > 0) print("problem " + Progress.deadLetters.sum() + " dead letters");
        if (Progress.readers.get() > 1) print("problem the job restarted");
        print("exact");
        return;
      }
    }
  }

  public static void main(String[] args) throws InterruptedException, IOException {
    PipelineOptionsFactory.register(PeerOptions.class);
    PeerOptions options = PipelineOptionsFactory.fromArgs(args).withValidation().as(PeerOptions.class);
    options.setRunner(FlinkRunner.class);
    options.setStreaming(true);
    options.setFlinkMaster("[local]");
    Pipeline pipeline = build(options);
    Thread job =
        new Thread(
            () -> {
              try {
                pipeline.run().waitUntilFinish();
              } catch (RuntimeException failure) {
                failure.printStackTrace();
                System.exit(1);
              }
            });
    job.setDaemon(true);
    job.start();
    report(options);
    // The benchmark reads the usage of this process and then ends it.
    Thread.sleep(Long.MAX_VALUE);
  }
}
