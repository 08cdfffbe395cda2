/** The only SDK version that this library supports: its patches reach into the internals of that version. */
export const SDK_VERSION = "2.49.0";

/** Thrown at load when another SDK version than the supported one is installed. Install `apache-beam@2.49.0`. */
export class UnsupportedSdkVersionError extends Error {
  constructor(readonly found: string) {
    super(
      `apache-beam ${found} is installed, but this library patches and extends apache-beam ${SDK_VERSION} only. ` +
        `Install that version: npm install --save-exact apache-beam@${SDK_VERSION}`,
    );
    this.name = "UnsupportedSdkVersionError";
  }
}

/** @throws UnsupportedSdkVersionError when `found` is not {@link SDK_VERSION}. */
export function checkSdkVersion(found: string): void {
  if (found !== SDK_VERSION) throw new UnsupportedSdkVersionError(found);
}

/** @throws UnsupportedSdkVersionError unless the installed SDK is {@link SDK_VERSION}. */
export function requireSdkVersion(): void {
  // The package exports no package.json; the version module is what its own runner reports.
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const { version } = require("apache-beam/version") as { version: string };
  checkSdkVersion(version);
}
