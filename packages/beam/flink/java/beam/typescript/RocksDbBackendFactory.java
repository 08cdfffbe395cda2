package beam.typescript;

import java.io.IOException;
import java.lang.reflect.Field;
import java.util.Collection;
import java.util.Map;
import org.apache.flink.api.common.JobID;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.contrib.streaming.state.EmbeddedRocksDBStateBackend;
import org.apache.flink.contrib.streaming.state.RocksDBKeyedStateBackend;
import org.apache.flink.contrib.streaming.state.snapshot.RocksIncrementalSnapshotStrategy;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.runtime.state.AbstractKeyedStateBackend;
import org.apache.flink.runtime.state.AbstractManagedMemoryStateBackend;
import org.apache.flink.runtime.state.IncrementalRemoteKeyedStateHandle;
import org.apache.flink.runtime.state.KeyedStateHandle;
import org.apache.flink.runtime.state.OperatorStateBackend;
import org.apache.flink.runtime.state.StateBackendFactory;

/**
 * Creates Flink's RocksDB state backend, with a remedy for a fault of Flink 1.19 in jobs that are restored from the checkpoint
 * of another job in the mode {@code NO_CLAIM}.
 *
 * <p>The first checkpoint of such a job contains every file, the second one only new files. A task learns by a message that
 * the first one is complete, and handles messages after the one at hand. When that takes long, such as a bundle that is
 * finished, the barrier of the second checkpoint may be handled first. The task then refers to files of the restored
 * checkpoint, which the job does not own. The JobManager refuses that with "Attempt to reference unknown state", logs it
 * only, and waits for the task until the checkpoint times out. Here a task forgets the files of a restored checkpoint of
 * another job, so that it can only refer to its own.
 */
public final class RocksDbBackendFactory implements StateBackendFactory<RocksDbBackendFactory.Backend> {
  @Override
  public Backend createFromConfig(ReadableConfig config, ClassLoader classLoader) {
    return new Backend(new EmbeddedRocksDBStateBackend().configure(config, classLoader));
  }

  /** Flink's backend, which cannot be extended, because its configuration creates a new instance. */
  static final class Backend extends AbstractManagedMemoryStateBackend {
    private static final long serialVersionUID = 1;

    private final EmbeddedRocksDBStateBackend rocksDb;

    Backend(EmbeddedRocksDBStateBackend rocksDb) {
      this.rocksDb = rocksDb;
    }

    @Override
    public <K> AbstractKeyedStateBackend<K> createKeyedStateBackend(KeyedStateBackendParameters<K> parameters)
        throws IOException {
      AbstractKeyedStateBackend<K> backend = rocksDb.createKeyedStateBackend(parameters);
      if (refersToAnotherJob(parameters.getStateHandles(), parameters.getJobID())) forgetRestoredFiles(backend);
      return backend;
    }

    @Override
    public OperatorStateBackend createOperatorStateBackend(OperatorStateBackendParameters parameters) throws Exception {
      return rocksDb.createOperatorStateBackend(parameters);
    }

    @Override
    public boolean supportsNoClaimRestoreMode() {
      return rocksDb.supportsNoClaimRestoreMode();
    }

    @Override
    public boolean supportsSavepointFormat(SavepointFormatType format) {
      return rocksDb.supportsSavepointFormat(format);
    }
  }

  /** The files of a job are in a folder with its id. Without its own files a checkpoint is only larger. */
  private static boolean refersToAnotherJob(Collection<KeyedStateHandle> handles, JobID job) {
    return handles.stream()
        .filter(IncrementalRemoteKeyedStateHandle.class::isInstance)
        .flatMap(handle -> ((IncrementalRemoteKeyedStateHandle) handle).getSharedState().stream())
        .anyMatch(file -> !file.getHandle().getStreamStateHandleID().getKeyString().contains("/" + job + "/"));
  }

  private static void forgetRestoredFiles(Object backend) {
    Object strategy = fieldOf(RocksDBKeyedStateBackend.class, "checkpointSnapshotStrategy", backend);
    if (!(strategy instanceof RocksIncrementalSnapshotStrategy)) return;
    ((Map<?, ?>) fieldOf(RocksIncrementalSnapshotStrategy.class, "uploadedSstFiles", strategy)).clear();
  }

  private static Object fieldOf(Class<?> type, String name, Object object) {
    try {
      Field field = type.getDeclaredField(name);
      field.setAccessible(true);
      return field.get(object);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException("This is not the state backend of Flink 1.19: " + type, e);
    }
  }
}
