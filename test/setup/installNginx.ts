import { aptInstall } from "./aptInstall";
import { findNginx } from "@eventlogger/nginx/findNginx";

/** Installs nginx where that is possible without asking anybody; says so where it is not. */
export function ensureNginx(say: (line: string) => void): void {
  if (!findNginx()) aptInstall("nginx-light", "tests that need it will fail", say);
}
