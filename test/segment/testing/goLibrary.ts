import { join } from "node:path";
import { repositoryRoot } from "@eventlogger/process/packageRoot";
import { ensureGoProgram } from "@eventlogger/tools/go/goProgram";
import { runSender, type Sender } from "./sender";

/** The program with Segment's Go library. Builds it when it is missing. */
export function ensureGoLibrary(onProgress?: (line: string) => void): Promise<string> {
  const source = join(repositoryRoot, "test", "segment", "go");
  const what = "the sender with Segment's Go library";
  return ensureGoProgram({ name: "segment-go", what, source, package: "." }, onProgress);
}

/** Sends with analytics-go. */
export const sendWithGo: Sender = async (task) => runSender("go", await ensureGoLibrary(), [], task);
