import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import tls from "node:tls";
import { promisify } from "node:util";
import type { BigQueryEmulator } from "../../emulators/emulators";

/** An endpoint for Google's Java clients, which use one address for REST and gRPC. */
export interface GoogleEndpoint {
  /** `http://localhost:PORT`, for `--bigQueryEndpoint`. */
  readonly url: string;
  /** JVM arguments that make a client trust the certificate. */
  readonly jvmArgs: readonly string[];
  stop(): Promise<void>;
}

const PASSWORD = "changeit";
/** The first byte of a TLS connection: a handshake record. */
const TLS_HANDSHAKE = 0x16;

/** Creates a key with a self-signed certificate for `localhost`. The file is both key store and trust store. */
async function createCertificate(file: string): Promise<void> {
  const arguments_ = ["-genkeypair", "-keyalg", "EC", "-alias", "localhost", "-dname", "CN=localhost"];
  arguments_.push("-ext", "SAN=dns:localhost", "-validity", "2");
  arguments_.push("-storetype", "PKCS12", "-keystore", file, "-storepass", PASSWORD);
  await promisify(execFile)("keytool", arguments_);
}

function connect(a: net.Socket, b: net.Socket): void {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    from.on("error", () => to.destroy());
    from.on("close", () => to.destroy());
    from.pipe(to);
  }
}

function connectTo(address: string, socket: net.Socket): void {
  const { hostname, port } = new URL(`http://${address}`);
  connect(socket, net.connect(Number(port), hostname));
}

/**
 * Serves both APIs of a BigQuery emulator on one port, as Google's Java clients need it for a custom endpoint: REST
 * without TLS, gRPC with TLS. The first byte of a connection tells which one it is.
 *
 * @param directory folder for the certificate
 */
export async function startGoogleEndpoint(emulator: BigQueryEmulator, directory: string): Promise<GoogleEndpoint> {
  const trustStore = join(directory, "certificate.p12");
  await createCertificate(trustStore);
  const sockets = new Set<net.Socket>();
  const encrypted = tls.createServer(
    { pfx: readFileSync(trustStore), passphrase: PASSWORD, ALPNProtocols: ["h2"] },
    (socket) => connectTo(emulator.grpcHost, socket),
  );
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    socket.once("readable", () => {
      const first = socket.read() as Buffer | null;
      if (!first) return;
      socket.unshift(first);
      if (first[0] === TLS_HANDSHAKE) encrypted.emit("connection", socket);
      else connectTo(new URL(emulator.url).host, socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://localhost:${(server.address() as net.AddressInfo).port}`,
    jvmArgs: [
      `-Djavax.net.ssl.trustStore=${trustStore}`,
      `-Djavax.net.ssl.trustStorePassword=${PASSWORD}`,
      "-Djavax.net.ssl.trustStoreType=PKCS12",
    ],
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
