import "@eventlogger/beam/sdk";
import { withName, type PCollection } from "apache-beam";
import { GeneralObjectCoder } from "apache-beam/coders/js_coders";
import type { PTransform } from "apache-beam/transforms/transform";
import { bundleParDo, pipe, statefulParDo, withKvCoder } from "@eventlogger/beam";
import type { AcceptedHashes, AcceptedIds } from "@eventlogger/events/accepted/acceptedIds";
import { bytesKvCoder } from "../byteEncoding";
import type { ParsedEvent } from "../parse/parsedEvent";
import { AcceptedLedger } from "./acceptedLedger";
import { CollectHashes } from "./collectHashes";
import { MergeHashes } from "./mergeHashes";

/** Records which events were accepted. The output are the hashes of event ids that the record gains. */
export function recordAccepted(): PTransform<PCollection<ParsedEvent>, PCollection<AcceptedIds>> {
  return withName("RecordAccepted", (events: PCollection<ParsedEvent>) =>
    pipe(
      events,
      bundleParDo("CollectHashes", new CollectHashes(), bytesKvCoder),
      withKvCoder("ByShard", bytesKvCoder),
      statefulParDo("AcceptedLedger", new AcceptedLedger(), {
        input: bytesKvCoder,
        output: new GeneralObjectCoder<AcceptedHashes>(),
      }),
      bundleParDo("MergeHashes", new MergeHashes(), new GeneralObjectCoder<AcceptedIds>()),
    ),
  );
}
