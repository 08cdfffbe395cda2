package peer;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import org.apache.beam.sdk.coders.AtomicCoder;
import org.apache.beam.sdk.coders.VarLongCoder;

/** Counts of a day, or a change of them. Immutable. */
final class DayCounts {
  final long sessions;
  final long durationMs;
  final long activeUsers;
  final long newUsers;
  /** Number of the version; 0 for a change. */
  final long version;

  DayCounts(long sessions, long durationMs, long activeUsers, long newUsers, long version) {
    this.sessions = sessions;
    this.durationMs = durationMs;
    this.activeUsers = activeUsers;
    this.newUsers = newUsers;
    this.version = version;
  }

  static DayCounts ofSessions(long sessions, long durationMs) {
    return new DayCounts(sessions, durationMs, 0, 0, 0);
  }

  static DayCounts ofUsers(long activeUsers, long newUsers) {
    return new DayCounts(0, 0, activeUsers, newUsers, 0);
  }

  DayCounts plus(DayCounts other, long newVersion) {
    return new DayCounts(
        sessions + other.sessions,
        durationMs + other.durationMs,
        activeUsers + other.activeUsers,
        newUsers + other.newUsers,
        newVersion);
  }

  String text() {
    return sessions + " sessions, " + durationMs + " ms, " + activeUsers + " users, " + newUsers + " new";
  }

  static final class DayCountsCoder extends AtomicCoder<DayCounts> {
    static final DayCountsCoder INSTANCE = new DayCountsCoder();
    private static final VarLongCoder LONG = VarLongCoder.of();

    @Override
    public void encode(DayCounts counts, OutputStream out) throws IOException {
      LONG.encode(counts.sessions, out);
      LONG.encode(counts.durationMs, out);
      LONG.encode(counts.activeUsers, out);
      LONG.encode(counts.newUsers, out);
      LONG.encode(counts.version, out);
    }

    @Override
    public DayCounts decode(InputStream in) throws IOException {
      return new DayCounts(LONG.decode(in), LONG.decode(in), LONG.decode(in), LONG.decode(in), LONG.decode(in));
    }
  }
}
