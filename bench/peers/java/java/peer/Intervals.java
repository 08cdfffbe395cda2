package peer;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.Arrays;
import org.apache.beam.sdk.coders.AtomicCoder;
import org.apache.beam.sdk.coders.VarIntCoder;
import org.apache.beam.sdk.coders.VarLongCoder;

/**
 * Sessions of one session id on one day: disjoint intervals at least the gap apart, as sorted bounds {first, last, first,
 * last, …} in epoch ms. The arrays are never changed.
 */
final class Intervals {
  private Intervals() {}

  static final long[] NONE = {};

  static long[] at(long time) {
    return new long[] {time, time};
  }

  static int count(long[] intervals) {
    return intervals.length / 2;
  }

  static long duration(long[] intervals) {
    long sum = 0;
    for (int i = 0; i < intervals.length; i += 2) sum += intervals[i + 1] - intervals[i];
    return sum;
  }

  /** The union of both; intervals less than the gap apart become one. */
  static long[] union(long[] a, long[] b, long gap) {
    if (a.length == 0) return b;
    if (b.length == 0) return a;
    long[] merged = new long[a.length + b.length];
    int length = 0;
    int i = 0;
    int j = 0;
    while (i < a.length || j < b.length) {
      boolean takesA = j >= b.length || (i < a.length && a[i] <= b[j]);
      long first = takesA ? a[i] : b[j];
      long last = takesA ? a[i + 1] : b[j + 1];
      if (takesA) i += 2;
      else j += 2;
      if (length > 0 && first - merged[length - 1] < gap) {
        merged[length - 1] = Math.max(merged[length - 1], last);
      } else {
        merged[length++] = first;
        merged[length++] = last;
      }
    }
    return length == merged.length ? merged : Arrays.copyOf(merged, length);
  }

  static final class IntervalsCoder extends AtomicCoder<long[]> {
    static final IntervalsCoder INSTANCE = new IntervalsCoder();

    @Override
    public void encode(long[] intervals, OutputStream out) throws IOException {
      VarIntCoder.of().encode(intervals.length, out);
      for (long bound : intervals) VarLongCoder.of().encode(bound, out);
    }

    @Override
    public long[] decode(InputStream in) throws IOException {
      long[] intervals = new long[VarIntCoder.of().decode(in)];
      for (int i = 0; i < intervals.length; i++) intervals[i] = VarLongCoder.of().decode(in);
      return intervals;
    }
  }
}
