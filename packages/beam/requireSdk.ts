/** Imported before the SDK: with other versions the SDK may fail to load, and its error would not say what to install. */
import { checkSharedPackages } from "./sharedPackages";
import { requireSdkVersion } from "./version";

requireSdkVersion();
checkSharedPackages(__filename, require.resolve("apache-beam"));
