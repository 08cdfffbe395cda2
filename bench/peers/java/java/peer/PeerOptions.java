package peer;

import org.apache.beam.runners.flink.FlinkPipelineOptions;
import org.apache.beam.sdk.options.Default;
import org.apache.beam.sdk.options.Description;
import org.apache.beam.sdk.options.Validation;

/** Options of the peer, besides those of the Flink runner. */
public interface PeerOptions extends FlinkPipelineOptions {
  @Description("File with the messages, in the format of bench/traffic/messageFile.ts.")
  @Validation.Required
  String getMessages();

  void setMessages(String file);

  @Description("Number of messages in the file.")
  @Validation.Required
  Long getEvents();

  void setEvents(Long count);

  @Description("File with the totals that must come out, as one line.")
  @Validation.Required
  String getExpected();

  void setExpected(String file);

  @Description("Whether Beam's session windows group the events before the ledger of sessions.")
  @Default.Boolean(false)
  Boolean getSessionWindows();

  void setSessionWindows(Boolean isUsed);

  @Description("Interval of early firings of session windows, ms.")
  @Default.Long(10_000)
  Long getEarlyMs();

  void setEarlyMs(Long ms);
}
