import type { OnProgress } from "@eventlogger/options/progress";
import { findChromium } from "@eventlogger/tools/chromium";
import { aptInstallOrPrint } from "../../setup/aptInstall";

// Tests import these from here: that is how npm test knows that they need a browser.
export { findChromium, startChromium } from "@eventlogger/tools/chromium";

/** Installs Chromium where that needs no password; otherwise prints how to install it. */
export async function ensureChromium(onProgress: OnProgress, print: (line: string) => void): Promise<void> {
  if (!findChromium()) await aptInstallOrPrint("chromium", "tests that need it are skipped", onProgress, print);
}
