import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { compressedFile, type CompressedFile } from "../http/compressedFile";
import type { DashboardSite } from "./getDashboard";

/** Reads the built pages of the package @eventlogger/dashboard. @throws Error when they have not been built */
export function readDashboard(): DashboardSite {
  const folder = join(dirname(require.resolve("@eventlogger/dashboard/package.json")), "dist", "site");
  // The build has compressed them: that takes longer than a replica should need to start.
  const read = (file: string): CompressedFile =>
    compressedFile(readFileSync(file), { br: readFileSync(`${file}.br`), gzip: readFileSync(`${file}.gz`) });
  try {
    const assets = readdirSync(join(folder, "assets")).filter((name) => !/\.(br|gz)$/.test(name));
    return {
      page: read(join(folder, "index.html")),
      assets: new Map(assets.map((name) => [name, read(join(folder, "assets", name))])),
    };
  } catch (cause) {
    throw new Error("The pages of @eventlogger/dashboard are missing: run npm run build", { cause });
  }
}
