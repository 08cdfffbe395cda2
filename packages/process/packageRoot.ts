import { join } from "node:path";

/** The folder that holds package.json; this file is compiled to dist/config/. */
export const packageRoot = join(__dirname, "..", "..");

/** What was installed or built for this checkout and can be made again. */
export const cacheDir = join(packageRoot, ".cache");
