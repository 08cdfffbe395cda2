/** The only SDK version that the repairs of this library were made for and tested with. */
export const SDK_VERSION = "2.49.0";

/** Another SDK version is installed than the one this library mends: install `apache-beam@2.49.0`. */
export class UnsupportedSdkVersionError extends Error {
  constructor(readonly found: string) {
    super(
      `apache-beam ${found} is installed, but this library repairs and extends exactly apache-beam ${SDK_VERSION}. ` +
        `Install that version (npm install --save-exact apache-beam@${SDK_VERSION}), or port the repairs first.`,
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
