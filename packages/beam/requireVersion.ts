/** Imported before the SDK: another version may fail to load, which would hide the advice. */
import { requireSdkVersion } from "./version";

requireSdkVersion();
