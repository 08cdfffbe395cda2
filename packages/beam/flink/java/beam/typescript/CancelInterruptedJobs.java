package beam.typescript;

import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import javax.annotation.Nullable;
import org.apache.flink.api.common.JobExecutionResult;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.execution.JobListener;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Cancels the Flink job when the Beam job is cancelled. Beam's job server only interrupts the thread that waits for the
 * Flink job, and reports the Beam job as cancelled, while the Flink job runs on.
 */
public final class CancelInterruptedJobs implements JobListener {
  private static final Logger LOG = LoggerFactory.getLogger(CancelInterruptedJobs.class);

  /** The job that a thread has submitted and waits for. */
  private final ConcurrentMap<Thread, JobClient> jobs = new ConcurrentHashMap<>();

  @Override
  public void onJobSubmitted(@Nullable JobClient client, @Nullable Throwable failure) {
    if (client != null) jobs.put(Thread.currentThread(), client);
  }

  @Override
  public void onJobExecuted(@Nullable JobExecutionResult result, @Nullable Throwable failure) {
    JobClient client = jobs.remove(Thread.currentThread());
    if (client == null || !(failure instanceof InterruptedException)) return;
    LOG.info("Cancelling Flink job {}, because its Beam job was cancelled", client.getJobID());
    client
        .cancel()
        .whenComplete(
            (ignored, error) -> {
              if (error != null) LOG.error("Cannot cancel Flink job {}", client.getJobID(), error);
            });
  }
}
