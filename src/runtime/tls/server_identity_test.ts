import assert from "node:assert/strict";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { connect, type ConnectionOptions, createServer } from "node:tls";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import {
  authorityExtensions,
  opensslCertificate,
  type OpensslPair,
  type OpensslRequest,
  testKeys,
  withOpensslServer,
} from "../../../tests/support/in_process/openssl.ts";
import { verifiedServer } from "./server_identity.ts";

const serverExtensions = [
  "basicConstraints=CA:FALSE",
  "extendedKeyUsage=serverAuth",
  "subjectAltName=DNS:localhost,IP:127.0.0.1",
];
/** basicConstraints whose value is no sound one: the runtime's library takes the certificate for no DER. */
const unsoundExtensions = [...serverExtensions.slice(1), "2.5.29.19=DER:05:00"];

const authority = await opensslCertificate({ subject: "/CN=the CA", extensions: authorityExtensions });
/** Somebody else's, by the same name. */
const forger = await opensslCertificate({ subject: "/CN=the CA", extensions: authorityExtensions });

function issued(request: Partial<OpensslRequest> = {}): Promise<OpensslPair> {
  return opensslCertificate({ subject: "/CN=localhost", extensions: serverExtensions, issuer: authority, ...request });
}

/** What a client of a server with a certificate sees: `taken`, or the error's code and text. */
async function outcome(
  { certPem, keyPem }: OpensslPair,
  options: ConnectionOptions,
  { host = "localhost", chain = "" } = {},
): Promise<string> {
  const server = createServer({ cert: certPem + chain, key: keyPem }, (socket) => {
    socket.on("error", () => {});
    socket.resume();
  });
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = server.address() as AddressInfo;
    return await connected(port, options, host);
  } finally {
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

function connected(port: number, options: ConnectionOptions, host = "localhost"): Promise<string> {
  return new Promise((resolve) => {
    const name = host === "127.0.0.1" ? {} : { servername: host };
    const socket = connect({ host: "127.0.0.1", port, ...name, ...options });
    socket.once("secureConnect", () => {
      resolve("taken");
      socket.destroy();
    });
    socket.once("error", (error) => resolve(`${Reflect.get(error, "code")} ${error.message}`));
  });
}

const trusted = { ca: authority.certPem, ...verifiedServer(authority.certPem) };

leakTest("a sound certificate is taken by name and by address, also by an intermediate CA", async () => {
  assert.equal(await outcome(await issued(), trusted), "taken");
  assert.equal(await outcome(await issued(), trusted, { host: "127.0.0.1" }), "taken");
  assert.match(await outcome(await issued(), trusted, { host: "other" }), /^ERR_TLS_CERT_ALTNAME_INVALID /);
  const between = await opensslCertificate({
    subject: "/CN=between",
    extensions: authorityExtensions,
    issuer: authority,
  });
  const leaf = await issued({ issuer: between });
  assert.equal(await outcome(leaf, trusted, { chain: between.certPem }), "taken");
  assert.match(await outcome(leaf, trusted), /^UNABLE_TO_VERIFY_LEAF_SIGNATURE /);
});

leakTest(
  "a forged certificate of version 1 is refused, which the runtime takes on the issuer's name alone",
  async () => {
    const forged = await issued({ issuer: forger, extensions: [] });
    assert.match(await outcome(forged, trusted), /^CERT_UNSUPPORTED_VERSION .*version 1, issue it as version 3$/);
    assert.equal(
      await outcome(forged, { ca: authority.certPem, rejectUnauthorized: true }),
      "taken",
      "the runtime refuses it by itself now, see server_identity.ts",
    );
  },
);

leakTest("a forged certificate that is no sound DER is refused, which the runtime takes likewise", async () => {
  const forged = await issued({ issuer: forger, extensions: unsoundExtensions });
  const seen = (options: ConnectionOptions) => withOpensslServer(forged, (port) => connected(port, options));
  assert.match(await seen(trusted), /^(CERT_SIGNATURE_FAILURE|CERT_REJECTED) /);
  assert.equal(
    await seen({ ca: authority.certPem, rejectUnauthorized: true }),
    "taken",
    "the runtime refuses it by itself now, see server_identity.ts",
  );
});

leakTest("one that a CA by the same name has signed is refused", async () => {
  assert.match(
    await outcome(await issued({ issuer: forger }), trusted),
    /^(CERT_SIGNATURE_FAILURE|UNABLE_TO_VERIFY_LEAF_SIGNATURE|ERR_SSL_)/,
  );
});

leakTest("a certificate that names its host by its common name alone is refused, as by Go", async () => {
  const nameless = await issued({ extensions: serverExtensions.slice(0, 2) });
  assert.match(await outcome(nameless, trusted), /^ERR_TLS_CERT_ALTNAME_INVALID .* issue it with DNS:localhost$/);
  assert.equal(await outcome(nameless, { ca: authority.certPem }), "taken");
  const byAddress = await issued({ extensions: [...serverExtensions.slice(0, 2), "subjectAltName=IP:127.0.0.1"] });
  assert.match(await outcome(byAddress, trusted), /^ERR_TLS_CERT_ALTNAME_INVALID /);
  assert.equal(await outcome(byAddress, trusted, { host: "127.0.0.1" }), "taken");
});

leakTest("a certificate whose issuer is no CA is refused, as by Go", async () => {
  for (const extensions of [["subjectKeyIdentifier=hash"], ["basicConstraints=CA:FALSE"]]) {
    const none = await opensslCertificate({ subject: "/CN=no CA", extensions });
    const leaf = await issued({ issuer: none });
    const options = { ca: none.certPem, ...verifiedServer(none.certPem) };
    assert.match(await outcome(leaf, options), /^INVALID_CA .*no CA lacks basicConstraints with CA:TRUE/);
    assert.equal(await outcome(leaf, { ca: none.certPem }), "taken");
  }
});

leakTest("a certificate that is trusted as itself is taken", async () => {
  const own = await opensslCertificate({ subject: "/CN=localhost", extensions: serverExtensions });
  assert.equal(await outcome(own, { ca: own.certPem, ...verifiedServer(own.certPem) }), "taken");
});

for (const [kind, key] of Object.entries(testKeys)) {
  // Neither is known to the runtime's library.
  if (kind === "rsa1024" || kind === "rsaPss") continue;
  leakTest(`a CA with a key of the kind ${kind} is verified`, async () => {
    const ca = await opensslCertificate({ subject: `/CN=${kind}`, extensions: authorityExtensions, key });
    const leaf = await issued({ issuer: ca });
    const seen = await outcome(leaf, { ca: ca.certPem, ...verifiedServer(ca.certPem) });
    // openssl signs with SHA-256, which the runtime's cryptography does not take with a key of P-521.
    if (kind === "p521") assert.match(seen, /^CERT_SIGNATURE_FAILURE /);
    else assert.equal(seen, "taken");
  });
}

leakTest("a server that closes within the handshake is an error, not an exception", async () => {
  const server = createTcpServer((socket) => {
    socket.on("error", () => {});
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const error = await new Promise<Error>((resolve) => {
    connect({ host: "127.0.0.1", port, servername: "localhost", ...trusted }).once("error", resolve);
  });
  assert.equal(Reflect.get(error, "code"), "ECONNRESET");
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

leakTest(
  "a name that looks like two is one, which is not the host's; the runtime takes it for the host's",
  async () => {
    for (
      const name of ["URI.1=spiffe://x, DNS:localhost", "DNS.1=other, DNS:localhost", "email.1=a@b, DNS:localhost"]
    ) {
      const extensions = [...serverExtensions.slice(0, 2), "subjectAltName=@names", "[names]", name];
      const odd = await issued({ subject: "/CN=x", extensions });
      assert.match(await outcome(odd, trusted), /^ERR_TLS_CERT_ALTNAME_INVALID /, name);
      if (!name.startsWith("URI")) continue;
      assert.equal(
        await outcome(odd, { ca: authority.certPem, rejectUnauthorized: true }),
        "taken",
        "the runtime refuses it by itself now, see server_identity.ts",
      );
    }
  },
);
