/** The only SDK version that this library supports: its patches reach into the internals of that version. */
export const SDK_VERSION = "2.49.0";

/** Thrown at load when another SDK version than the supported one is installed. Install `apache-beam@2.49.0`. */
export class UnsupportedSdkVersionError extends Error {
  /** @param found the installed version; undefined when the SDK is not installed */
  constructor(readonly found: string | undefined) {
    const problem = found === undefined ? "apache-beam is not installed" : `apache-beam ${found} is installed`;
    super(
      `${problem}, but this library patches and extends apache-beam ${SDK_VERSION}, and no other version. ` +
        `Install that version: npm install --save-exact apache-beam@${SDK_VERSION}`,
    );
    this.name = "UnsupportedSdkVersionError";
  }
}

/** @throws UnsupportedSdkVersionError when `found` is not {@link SDK_VERSION}. */
export function checkSdkVersion(found: string | undefined): void {
  if (found !== SDK_VERSION) throw new UnsupportedSdkVersionError(found);
}

/** @throws UnsupportedSdkVersionError unless the installed SDK is {@link SDK_VERSION}. */
export function requireSdkVersion(): void {
  checkSdkVersion(installedSdkVersion());
}

function installedSdkVersion(): string | undefined {
  try {
    // The package does not export its package.json. Its own runner reports the version of this module.
    // eslint-disable-next-line @typescript-eslint/no-require-imports
    return (require("apache-beam/version") as { version: string }).version;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}
