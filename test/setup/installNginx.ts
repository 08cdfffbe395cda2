import { findNginx } from "@eventlogger/nginx/findNginx";
import type { OnProgress } from "@eventlogger/options/progress";
import { aptInstallOrPrint } from "./aptInstall";

/** Installs nginx where that needs no password; otherwise prints how to install it. */
export async function ensureNginx(onProgress: OnProgress, print: (line: string) => void): Promise<void> {
  if (!findNginx()) await aptInstallOrPrint("nginx-light", "tests that need it fail", onProgress, print);
}
