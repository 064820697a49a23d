import { connect as connectPlain, createServer, type Server, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { TestCertificateFiles } from "../in_process/test_certificates.ts";

/** Where a relay leads to. */
export type RelayTarget =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tls"; readonly port: number; readonly certificates: TestCertificateFiles };

/** A plain port on 127.0.0.1 before a listener that demands a client certificate, or before a Unix socket. */
export interface Relay extends AsyncDisposable {
  readonly port: number;
}

/**
 * Starts a relay for tools that show no certificate. It says `h2` in the handshake, and passes ends on; a reset becomes an
 * end, since some tools take the one for an answer and the other for a failure of the network.
 */
export async function relayTo(target: RelayTarget): Promise<Relay> {
  const open = await opener(target);
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = open();
    join(near, far);
    join(far, near);
  });
  const join = (from: Socket, to: Socket) => {
    sockets.add(from);
    from.on("data", (bytes: Uint8Array) => {
      if (!to.write(bytes)) from.pause();
    });
    to.on("drain", () => from.resume());
    from.on("end", () => to.end());
    from.on("error", () => to.destroySoon());
    from.on("close", () => {
      sockets.delete(from);
      to.destroySoon();
    });
  };
  await listening(server);
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the relay has no port");
  return {
    port: address.port,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

async function opener(target: RelayTarget): Promise<() => Socket> {
  if (target.kind === "unix") return () => connectPlain({ path: target.path, allowHalfOpen: true });
  const { caCert, clientCert, clientKey } = target.certificates;
  const [ca, cert, key] = await Promise.all([caCert, clientCert, clientKey].map((path) => Deno.readTextFile(path)));
  return () =>
    connectTls({
      host: "127.0.0.1",
      port: target.port,
      ALPNProtocols: ["h2"],
      rejectUnauthorized: true,
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    });
}

function listening(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
}
