import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { connect, createSecureContext, createServer, type TlsOptions, type TLSSocket } from "node:tls";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { runtimeFault } from "../../../tests/support/assert/runtime_fault.ts";
import { testCertificates } from "../../../tests/support/in_process/test_certificates.ts";
import { withReadBackpressure } from "./tls_backpressure.ts";

/** A TLS server of the bare runtime and one client, which are connected. */
async function withPair(
  options: TlsOptions,
  use: (server: TLSSocket, client: Deno.TlsConn) => Promise<void>,
): Promise<void> {
  const { ca, server: { certPem, keyPem } } = await testCertificates();
  const server = createServer({ cert: certPem, key: keyPem, ...options });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const accepted = new Promise<TLSSocket>((resolve) => server.once("secureConnection", resolve));
  const { port } = server.address() as AddressInfo;
  const client = await Deno.connectTls({ hostname: "127.0.0.1", port, caCerts: [ca.certPem] });
  await client.handshake();
  const socket = await accepted;
  socket.on("error", () => {});
  try {
    await use(socket, client);
  } finally {
    socket.destroy();
    try {
      client.close();
    } catch {
      // It is closed.
    }
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

/** More than two kernels' buffers and a runtime's hold together. */
const tooMuchBytes = 64 * 1024 * 1024;
/** A sender that wrote nothing for so long is held back. */
const heldBackMs = 1_000;

/** Writes to a peer that does not read, until that holds back or has taken too much. @returns the bytes that it took */
async function fill(client: Deno.TlsConn): Promise<number> {
  const chunk = new Uint8Array(256 * 1024);
  let sent = 0;
  let sentAt = performance.now();
  const writing = (async () => {
    while (sent < tooMuchBytes) {
      sent += await client.write(chunk);
      sentAt = performance.now();
    }
  })();
  writing.catch(() => {});
  while (sent < tooMuchBytes && performance.now() - sentAt < heldBackMs) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return sent;
}

const backpressure = { file: "src/runtime/tls/tls_backpressure.ts" };

runtimeFault("this runtime goes on to read and decrypt for a TLS socket that is paused", backpressure, async () => {
  let sent = 0;
  await withPair({}, async (socket, client) => {
    socket.on("data", () => {});
    socket.pause();
    sent = await fill(client);
  });
  return sent >= tooMuchBytes;
});

leakTest("with the workaround a TLS socket that is paused holds its peer back", async () => {
  await withPair({}, async (socket, client) => {
    assert.ok(withReadBackpressure(socket), "the private fields that it needs are gone");
    socket.on("data", () => {});
    socket.pause();
    const sent = await fill(client);
    assert.ok(sent < tooMuchBytes, `it took ${sent} bytes`);
  });
});

const ownCheck = {
  file: "src/net/tls/tls_server.ts",
  then: "nothing need be done: that a certificate was shown is worth a check of its own",
};

runtimeFault("this runtime calls a client authorized that was asked for no certificate", ownCheck, async () => {
  let authorized = false;
  await withPair({}, (socket) => {
    authorized = socket.authorized;
    return Promise.resolve();
  });
  return authorized;
});

const suites = {
  file: "src/net/tls/tls_server.ts",
  then: "give --cipher-suites to the runtime instead of checking them",
};

runtimeFault("this runtime takes a list of cipher suites and uses others", suites, async () => {
  const chosen = "ECDHE-ECDSA-CHACHA20-POLY1305";
  const other = "ECDHE-ECDSA-AES128-GCM-SHA256";
  const { ca, server: { certPem, keyPem } } = await testCertificates();
  const names: string[] = [];
  for (const ciphers of [chosen, other]) {
    const server = createServer({ cert: certPem, key: keyPem, ciphers, maxVersion: "TLSv1.2" }, (socket) => {
      socket.on("error", () => {});
      socket.resume();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    names.push(
      await new Promise<string>((resolve, reject) => {
        const client = connect({ host: "127.0.0.1", port, ca: ca.certPem });
        client.once("secureConnect", () => {
          resolve(client.getCipher().name);
          client.destroy();
        });
        client.once("error", reject);
      }),
    );
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
  return names[0] !== chosen || names[1] !== other;
});

const fileCheck = {
  file: "src/runtime/tls/pem.ts",
  then: "its messages still name the file: keep it, or have it do less",
};

runtimeFault("this runtime takes certificates and keys that are none, until a handshake", fileCheck, () => {
  try {
    createSecureContext({ cert: "no certificate", key: "no key", ca: "no authority" });
    return Promise.resolve(true);
  } catch {
    return Promise.resolve(false);
  }
});

const resumption = { file: "src/runtime/tls/full_handshakes.ts" };

runtimeFault(
  "this runtime resumes a session of one TLS server at another, which wants a certificate",
  resumption,
  async () => {
    const { ca, server: { certPem, keyPem } } = await testCertificates();
    const dir = await Deno.makeTempDir();
    const open = createServer({ cert: certPem, key: keyPem, maxVersion: "TLSv1.2" });
    const guarded = createServer({
      cert: certPem,
      key: keyPem,
      ca: ca.certPem,
      requestCert: true,
      rejectUnauthorized: true,
      maxVersion: "TLSv1.2",
    });
    let admitted = false;
    for (const server of [open, guarded]) {
      server.on("tlsClientError", (_error, socket) => socket.destroy());
      server.on("secureConnection", (socket) => {
        admitted ||= server === guarded;
        socket.on("error", () => {});
        socket.end();
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    }
    const visit = async (server: typeof open, flag: string) => {
      const { port } = server.address() as AddressInfo;
      await new Deno.Command("openssl", {
        args: ["s_client", "-connect", `127.0.0.1:${port}`, "-tls1_2", flag, `${dir}/session`],
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).output();
    };
    await visit(open, "-sess_out");
    await visit(guarded, "-sess_in");
    for (const server of [open, guarded]) await new Promise<void>((resolve) => server.close(() => resolve()));
    await Deno.remove(dir, { recursive: true });
    return admitted;
  },
);
