"""The pipeline of the benchmark in Beam Python, on the portable Flink runner: the same rollups as the product's, from the
same messages. Workers run in this process (LOOPBACK).

Prints lines for the benchmark: `first`, `progress N`, `read`, `exact`. Ends when its totals equal the expected ones, or on
SIGTERM. Exit codes: 0 exact, 1 the job failed.
"""

import argparse
import json
import os
import struct
import threading
import time
from typing import Any, BinaryIO, Dict, Iterable, Iterator, List, Optional, Set, Tuple

import apache_beam as beam
from apache_beam.coders import FastPrimitivesCoder
from apache_beam.io.restriction_trackers import OffsetRange, OffsetRestrictionTracker
from apache_beam.io.watermark_estimators import ManualWatermarkEstimator
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms.core import RestrictionProvider
from apache_beam.transforms.trigger import AccumulationMode, AfterProcessingTime, AfterWatermark, DefaultTrigger
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec
from apache_beam.transforms.window import GlobalWindow, GlobalWindows, Sessions, TimestampedValue
from apache_beam.utils.timestamp import Duration, Timestamp
from apache_beam.utils.windowed_value import WindowedValue

GAP_MS = 1_800_000
DAY_MS = 86_400_000
PUBLISH_DELAY_MS = 20
WATERMARK_DELAY_MS = 1000
ALLOWED_LATENESS_S = 25 * 3600
CHECKPOINT_S = 1.0
HEADER = struct.Struct(">qI")
BUFFER_BYTES = 1 << 20
MAX_ID = 128
MAX_USER_ID = 256
MAX_TEXT = 1024
MAX_PROPERTIES = 16 * 1024

Message = Tuple[bytes, str, int]
Interval = Tuple[int, int]
# sessions, duration in ms, active users, new users
Counts = Tuple[int, int, int, int]
Event = Dict[str, Any]


class Progress:
    """What the steps have done so far. They run in this process."""

    events = 0
    dead_letters = 0
    rows = 0
    panes = 0
    reads = 0
    newest: Dict[int, Tuple[int, Counts]] = {}

    @staticmethod
    def totals() -> str:
        """The totals, in the form of the expected ones."""
        return "; ".join(
            f"day {day}, {counts[0]} sessions, {counts[1]} ms, {counts[2]} users, {counts[3]} new"
            for day, (_, counts) in sorted(Progress.newest.items())
        )


def timestamp(ms: int) -> Timestamp:
    return Timestamp(micros=ms * 1000)


class AllMessages(RestrictionProvider):
    def __init__(self, count: int) -> None:
        self.count = count

    def initial_restriction(self, element: bytes) -> OffsetRange:
        return OffsetRange(0, self.count)

    def create_tracker(self, restriction: OffsetRange) -> OffsetRestrictionTracker:
        return OffsetRestrictionTracker(restriction)

    def restriction_size(self, element: bytes, restriction: OffsetRange) -> int:
        return restriction.size()

    def truncate(self, element: bytes, restriction: OffsetRange) -> None:
        return None


class OpenFile:
    """The file that this process reads, and the number of the message that comes next."""

    file: Optional[BinaryIO] = None
    next = 0


def read_message(file: BinaryIO) -> Tuple[int, bytes]:
    event_time, length = HEADER.unpack(file.read(HEADER.size))
    return event_time, file.read(length)


def make_source(path: str, count: int) -> beam.DoFn:
    """A splittable DoFn that reads the messages of a file (bench/traffic/messageFile.ts) as fast as they are taken."""

    class ReadMessages(beam.DoFn):
        @beam.DoFn.unbounded_per_element()
        def process(
            self,
            _element: bytes,
            tracker: Any = beam.DoFn.RestrictionParam(AllMessages(count)),
            watermark: Any = beam.DoFn.WatermarkEstimatorParam(ManualWatermarkEstimator.default_provider()),
        ) -> Iterator[TimestampedValue]:
            position = tracker.current_restriction().start
            if OpenFile.file is None or OpenFile.next != position:
                Progress.reads += 1
                OpenFile.file = open(path, "rb", buffering=BUFFER_BYTES)  # pylint: disable=consider-using-with
                for _ in range(position):
                    read_message(OpenFile.file)
            file = OpenFile.file
            deadline = time.time() + CHECKPOINT_S
            read = 0
            while tracker.try_claim(position):
                event_time, data = read_message(file)
                position += 1
                OpenFile.next = position
                read += 1
                message = (data, f"m{position - 1}", event_time + PUBLISH_DELAY_MS)
                yield TimestampedValue(message, timestamp(event_time))
                if read % 256 == 0 and time.time() >= deadline:
                    watermark.set_watermark(timestamp(event_time - WATERMARK_DELAY_MS))
                    tracker.defer_remainder(Duration(0))
                    return

    return ReadMessages()


FIELDS = {
    "type",
    "event_id",
    "session_id",
    "event_name",
    "event_time",
    "user_id",
    "page",
    "country",
    "region",
    "city",
    "properties",
    "received_at",
}


def text(event: Event, name: str, most: int, required: bool = False) -> Optional[str]:
    """A text, as itself or as Avro's union {"string": text}; None when it is missing or null."""
    value = event.get(name)
    if isinstance(value, dict) and len(value) == 1:
        value = value.get("string")
    if value is None:
        if required:
            raise ValueError(f"{name} is required")
        return None
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a text")
    if len(value) > most or (required and not value):
        raise ValueError(f"{name} has a wrong length")
    value.encode()  # fails for a lone surrogate
    return value


def parse(message: Message) -> Event:
    """Parses a message with the rules of packages/events. Raises ValueError for an invalid one."""
    data, message_id, publish_time = message
    event = json.loads(data)
    if not isinstance(event, dict):
        raise ValueError("not an object")
    for name in event:
        if name not in FIELDS:
            raise ValueError(f"unknown field {name}")
    if event.get("type") != "event":
        raise ValueError("type must be event")
    properties = event.get("properties")
    if isinstance(properties, str):
        properties = json.loads(properties)
    if properties is not None and not isinstance(properties, dict):
        raise ValueError("properties must be an object")
    properties_text = None if properties is None else json.dumps(properties, separators=(",", ":"))
    if properties_text is not None and len(properties_text) > MAX_PROPERTIES:
        raise ValueError("properties are too large")
    event_time = event["event_time"]
    if not isinstance(event_time, (int, float)):
        raise ValueError("event_time must be a number")
    event_ms = round(event_time * 1000 if event_time < 1e11 else event_time)
    received_at = event.get("received_at", publish_time)
    if event_ms < 0 or event_ms > received_at + DAY_MS:
        raise ValueError("event_time is out of range")
    return {
        "event_id": text(event, "event_id", MAX_ID) or message_id,
        "session_id": text(event, "session_id", MAX_ID, True),
        "event_name": text(event, "event_name", MAX_ID, True),
        "event_time": event_ms,
        "user_id": text(event, "user_id", MAX_USER_ID),
        "page": text(event, "page", MAX_TEXT),
        "country": text(event, "country", MAX_TEXT),
        "region": text(event, "region", MAX_TEXT),
        "city": text(event, "city", MAX_TEXT),
        "properties": properties_text,
        "received_at": received_at,
    }


class ParseMessages(beam.DoFn):
    def process(self, message: Message) -> Iterator[Any]:
        try:
            event = parse(message)
        except (ValueError, KeyError) as error:
            Progress.dead_letters += 1
            yield beam.pvalue.TaggedOutput("dead_letters", str(error))
            return
        Progress.events += 1
        yield event


def iso(ms: int) -> str:
    t = time.gmtime(ms // 1000)
    return f"{t[0]}-{t[1]:02}-{t[2]:02}T{t[3]:02}:{t[4]:02}:{t[5]:02}.{ms % 1000:03}Z"


class ToEventRows(beam.DoFn):
    def process(self, event: Event) -> Iterator[Dict[str, Any]]:
        event_time = iso(event["event_time"])
        yield {
            **event,
            "event_time": event_time,
            "event_date": event_time[:10],
            "received_at": iso(event["received_at"]),
        }


class CountRows(beam.DoFn):
    def process(self, _row: Dict[str, Any]) -> None:
        Progress.rows += 1


def union(intervals: Iterable[Interval]) -> List[Interval]:
    """Joins intervals that are less than the gap apart; sorted."""
    joined: List[Interval] = []
    for first, last in sorted(intervals):
        if joined and first - joined[-1][1] < GAP_MS:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined


def add_interval(known: List[Interval], interval: Interval) -> List[Interval]:
    if len(known) == 1:
        first, last = known[0]
        if interval[0] - last < GAP_MS and first - interval[1] < GAP_MS:
            return [(min(first, interval[0]), max(last, interval[1]))]
    return union([*known, interval])


class BundleIntervals(beam.DoFn):
    """The sessions of a bundle, keyed by day and session id."""

    sessions: Dict[str, List[Interval]]

    def start_bundle(self) -> None:
        self.sessions = {}

    def process(self, event: Event) -> None:
        at = event["event_time"]
        key = f"{at // DAY_MS}|{event['session_id']}"
        known = self.sessions.get(key)
        self.sessions[key] = [(at, at)] if known is None else add_interval(known, (at, at))

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for key, intervals in self.sessions.items():
            for interval in intervals:
                yield WindowedValue((key, interval), timestamp(interval[1]), [GlobalWindow()])
        self.sessions = {}


class UnionIntervals(beam.CombineFn):
    def create_accumulator(self) -> List[Interval]:
        return []

    def add_input(self, accumulator: List[Interval], interval: Interval) -> List[Interval]:
        return add_interval(accumulator, interval)

    def merge_accumulators(self, accumulators: Iterable[List[Interval]]) -> List[Interval]:
        return union(interval for accumulator in accumulators for interval in accumulator)

    def extract_output(self, accumulator: List[Interval]) -> List[Interval]:
        return accumulator


class SplitPanes(beam.DoFn):
    def process(self, pane: Tuple[str, List[Interval]]) -> Iterator[Tuple[str, Interval]]:
        Progress.panes += 1
        for interval in pane[1]:
            yield pane[0], interval


def duration(intervals: Iterable[Interval]) -> int:
    return sum(last - first for first, last in intervals)


class SessionLedger(beam.DoFn):
    """The intervals of each day and session id. Emits what they change in the counts of the day."""

    SESSIONS = ReadModifyWriteStateSpec("sessions", FastPrimitivesCoder())

    def process(
        self, element: Tuple[str, Interval], state: Any = beam.DoFn.StateParam(SESSIONS)
    ) -> Iterator[Tuple[int, Counts]]:
        key, interval = element
        known = state.read() or []
        joined = add_interval(known, interval)
        if joined == known:
            return
        state.write(joined)
        day = int(key.split("|", 1)[0])
        yield day, (len(joined) - len(known), duration(joined) - duration(known), 0, 0)


class BundleUserDays(beam.DoFn):
    """The distinct users and days of a bundle."""

    seen: Set[Tuple[str, int]]

    def start_bundle(self) -> None:
        self.seen = set()

    def process(self, event: Event) -> Iterator[Tuple[str, int]]:
        if event["user_id"] is None:
            return
        user_day = (event["user_id"], event["event_time"] // DAY_MS)
        if user_day in self.seen:
            return
        self.seen.add(user_day)
        yield user_day


class UserLedger(beam.DoFn):
    """The active days of each user, sorted. Emits what they change in the counts of the days."""

    DAYS = ReadModifyWriteStateSpec("days", FastPrimitivesCoder())

    def process(
        self, element: Tuple[str, int], state: Any = beam.DoFn.StateParam(DAYS)
    ) -> Iterator[Tuple[int, Counts]]:
        known = state.read() or ()
        day = element[1]
        if day in known:
            return
        state.write(tuple(sorted((*known, day))))
        is_first = not known or day < known[0]
        yield day, (0, 0, 1, int(is_first))
        if known and is_first:
            yield known[0], (0, 0, 0, -1)


def plus(a: Counts, b: Counts) -> Counts:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]


NO_COUNTS: Counts = (0, 0, 0, 0)


class SumBundles(beam.DoFn):
    sums: Dict[int, Counts]

    def start_bundle(self) -> None:
        self.sums = {}

    def process(self, change: Tuple[int, Counts]) -> None:
        self.sums[change[0]] = plus(self.sums.get(change[0], NO_COUNTS), change[1])

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for change in self.sums.items():
            yield WindowedValue(change, Timestamp.of(time.time()), [GlobalWindow()])
        self.sums = {}


class AddToTotals(beam.DoFn):
    TOTALS = ReadModifyWriteStateSpec("totals", FastPrimitivesCoder())

    def process(
        self, change: Tuple[int, Counts], state: Any = beam.DoFn.StateParam(TOTALS)
    ) -> Iterator[Tuple[int, Tuple[int, Counts]]]:
        version, totals = state.read() or (0, NO_COUNTS)
        newest = (version + 1, plus(totals, change[1]))
        state.write(newest)
        yield change[0], newest


class KeepNewest(beam.DoFn):
    def process(self, element: Tuple[int, Tuple[int, Counts]]) -> None:
        day, newest = element
        if newest[0] > Progress.newest.get(day, (0, NO_COUNTS))[0]:
            Progress.newest[day] = newest


def through_windows(intervals: Any, early_ms: int) -> Any:
    return (
        intervals
        | "SessionWindows"
        >> beam.WindowInto(
            Sessions(GAP_MS // 1000),
            trigger=AfterWatermark(early=AfterProcessingTime(early_ms // 1000), late=AfterProcessingTime(1)),
            accumulation_mode=AccumulationMode.DISCARDING,
            allowed_lateness=ALLOWED_LATENESS_S,
        )
        | "UnionIntervals" >> beam.CombinePerKey(UnionIntervals())
        | "SplitPanes" >> beam.ParDo(SplitPanes()).with_output_types(Tuple[str, Tuple[int, int]])
        | "GlobalWindow"
        >> beam.WindowInto(GlobalWindows(), trigger=DefaultTrigger(), accumulation_mode=AccumulationMode.DISCARDING)
    )


def build(options: argparse.Namespace, beam_options: PipelineOptions) -> beam.Pipeline:
    by_day = Tuple[int, Tuple[int, int, int, int]]
    pipeline = beam.Pipeline(options=beam_options)
    parsed = (
        pipeline
        | beam.Impulse()
        | "Read" >> beam.ParDo(make_source(options.messages, options.events)).with_output_types(Tuple[bytes, str, int])
        | "ParseMessages" >> beam.ParDo(ParseMessages()).with_outputs("dead_letters", main="events")
    )
    events = parsed.events
    _ = events | "ToEventRows" >> beam.ParDo(ToEventRows()) | "WriteEvents" >> beam.ParDo(CountRows())
    intervals = events | "BundleIntervals" >> beam.ParDo(BundleIntervals()).with_output_types(
        Tuple[str, Tuple[int, int]]
    )
    if options.session_windows:
        intervals = through_windows(intervals, options.early_ms)
    sessions = (
        intervals
        | "SessionLedger" >> beam.ParDo(SessionLedger()).with_output_types(by_day)
        | "SessionDeltas" >> beam.ParDo(SumBundles()).with_output_types(by_day)
    )
    users = (
        events
        | "BundleUserDays" >> beam.ParDo(BundleUserDays()).with_output_types(Tuple[str, int])
        | "UserLedger" >> beam.ParDo(UserLedger()).with_output_types(by_day)
        | "UserDeltas" >> beam.ParDo(SumBundles()).with_output_types(by_day)
    )
    _ = (
        (sessions, users)
        | "AllDeltas" >> beam.Flatten()
        | "DayTotals" >> beam.ParDo(AddToTotals())
        | "WriteRollupVersions" >> beam.ParDo(KeepNewest())
    )
    return pipeline


def report(options: argparse.Namespace) -> None:
    """Prints the progress until the totals are exact."""
    with open(options.expected, encoding="utf-8") as file:
        expected = file.read().strip()
    while Progress.events == 0:
        time.sleep(0.02)
    print("first", flush=True)
    reported_at = time.time()
    is_read = False
    while True:
        time.sleep(0.05)
        if not is_read and Progress.events >= options.events:
            is_read = True
            print("read", flush=True)
        if time.time() - reported_at >= 5:
            reported_at = time.time()
            print(f"progress {Progress.events} events, {Progress.panes} panes; {Progress.totals()}", flush=True)
        if is_read and Progress.rows >= options.events and Progress.totals() == expected:
            if Progress.dead_letters:
                print(f"problem {Progress.dead_letters} dead letters", flush=True)
            if Progress.reads > 1 or Progress.events > options.events:
                print("problem the job restarted", flush=True)
            print("exact", flush=True)
            return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", required=True, help="file with the messages")
    parser.add_argument("--events", required=True, type=int, help="number of messages in the file")
    parser.add_argument("--expected", required=True, help="file with the totals that must come out")
    parser.add_argument("--session-windows", action="store_true", help="group events by Beam's session windows")
    parser.add_argument("--early-ms", type=int, default=10_000, help="interval of early firings, ms")
    options, beam_arguments = parser.parse_known_args()
    pipeline = build(options, PipelineOptions(beam_arguments))

    def run() -> None:
        try:
            pipeline.run().wait_until_finish()
        except Exception as error:  # pylint: disable=broad-except
            print(f"failed {error}", flush=True)
        os._exit(1)

    threading.Thread(target=run, daemon=True).start()
    report(options)
    # The benchmark reads the usage of this process and then ends it.
    threading.Event().wait()


if __name__ == "__main__":
    main()
