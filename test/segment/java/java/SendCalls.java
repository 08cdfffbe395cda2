import com.google.gson.Gson;
import com.segment.analytics.Analytics;
import com.segment.analytics.Callback;
import com.segment.analytics.messages.AliasMessage;
import com.segment.analytics.messages.GroupMessage;
import com.segment.analytics.messages.IdentifyMessage;
import com.segment.analytics.messages.Message;
import com.segment.analytics.messages.MessageBuilder;
import com.segment.analytics.messages.PageMessage;
import com.segment.analytics.messages.ScreenMessage;
import com.segment.analytics.messages.TrackMessage;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** Makes calls with Segment's Java library: SendCalls URL WRITE_KEY FILE, where FILE has a call as JSON per line. */
public final class SendCalls {
  private static final class Call {
    String kind;
    String id;
    String user;
    String anonymous;
    String name;
    long time;
  }

  private static MessageBuilder<?, ?> builder(Call call) {
    switch (call.kind) {
      case "track":
        return TrackMessage.builder(call.name).properties(Map.of("price", 12.5)).anonymousId(call.anonymous);
      case "page":
        return PageMessage.builder(call.name).anonymousId(call.anonymous);
      case "screen":
        return ScreenMessage.builder(call.name).anonymousId(call.anonymous);
      case "identify":
        return IdentifyMessage.builder().traits(Map.of("plan", "pro")).anonymousId(call.anonymous);
      case "alias":
        return AliasMessage.builder(call.anonymous);
      case "group":
        return GroupMessage.builder(call.name).anonymousId(call.anonymous);
      default:
        throw new IllegalArgumentException(call.kind);
    }
  }

  public static void main(String[] args) throws Exception {
    List<String> lines = Files.readAllLines(Path.of(args[2]));
    CountDownLatch answered = new CountDownLatch(lines.size());
    AtomicInteger failed = new AtomicInteger();
    Callback callback =
        new Callback() {
          @Override
          public void success(Message message) {
            answered.countDown();
          }

          @Override
          public void failure(Message message, Throwable problem) {
            failed.incrementAndGet();
            answered.countDown();
            System.err.println(message.messageId() + ": " + problem);
          }
        };
    Analytics analytics = Analytics.builder(args[1]).endpoint(args[0]).flushQueueSize(50).callback(callback).build();
    Gson gson = new Gson();
    for (String line : lines) {
      Call call = gson.fromJson(line, Call.class);
      MessageBuilder<?, ?> message = builder(call);
      message.messageId(call.id).timestamp(new Date(call.time)).userId(call.user);
      analytics.enqueue(message);
    }
    analytics.flush();
    boolean complete = answered.await(5, TimeUnit.MINUTES);
    analytics.shutdown();
    System.exit(complete && failed.get() == 0 ? 0 : 1);
  }
}
