import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { connect } from "node:tls";
import { issueAuthority, issueLeaf } from "../../programs/certs/issue.ts";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import {
  authorityExtensions,
  opensslCertificate,
  type OpensslPair,
  type OpensslRequest,
  testKeys,
} from "../../../tests/support/in_process/openssl.ts";
import { testCertificates } from "../../../tests/support/in_process/test_certificates.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { EdgeError } from "../edge/edge_error.ts";
import type { GrpcListener } from "../http2/grpc_listener.ts";
import { listenGrpcOwn } from "../http2/h2_listener.ts";
import { watchTls } from "./tls_watch.ts";
import { systemClock } from "../../runtime/system_clock.ts";

const authority = await opensslCertificate({ subject: "/CN=the CA", extensions: authorityExtensions });
const preface = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
]);

function issued(extensions: readonly string[], request: Partial<OpensslRequest> = {}): Promise<OpensslPair> {
  return opensslCertificate({ subject: "/CN=somebody", issuer: authority, ...request, extensions });
}

/** A listener that trusts some CAs, and why it has refused connections. */
interface Guarded extends AsyncDisposable {
  readonly port: number;
  readonly refusals: Error[];
}

async function guarded(ca: string): Promise<Guarded> {
  const { server } = await testCertificates();
  const dir = await Deno.makeTempDir();
  const write = async (name: string, text: string) => {
    await Deno.writeTextFile(`${dir}/${name}`, text);
    return `${dir}/${name}`;
  };
  const files = await watchTls({
    ca: await write("ca", ca),
    cert: await write("crt", server.certPem),
    key: await write("key", server.keyPem),
  }, systemClock);
  const refusals: Error[] = [];
  const listener: GrpcListener = await listenGrpcOwn({
    address: { kind: "tcp", host: "127.0.0.1", port: 0 },
    tls: { files },
    services: [],
    router: () => {},
    clock: systemClock,
    onConnectionError: (error) => refusals.push(error),
  });
  assert.ok(listener.address.kind === "tcp");
  return {
    port: listener.address.port,
    refusals,
    async [Symbol.asyncDispose]() {
      await listener.close();
      await files[Symbol.asyncDispose]();
      await Deno.remove(dir, { recursive: true });
    },
  };
}

/** Whether a client with a certificate is served; if not, why: `reason: message`. */
async function outcome(listener: Guarded, pair: OpensslPair, chain = ""): Promise<string> {
  const before = listener.refusals.length;
  const served = await new Promise<boolean>((resolve) => {
    const socket = connect({
      host: "127.0.0.1",
      port: listener.port,
      cert: pair.certPem + chain,
      key: pair.keyPem,
      rejectUnauthorized: false,
      ALPNProtocols: ["h2"],
    });
    socket.on("secureConnect", () => socket.write(preface));
    socket.on("data", () => {
      resolve(true);
      socket.destroy();
    });
    socket.on("error", () => resolve(false));
    socket.on("close", () => resolve(false));
  });
  if (served) return "served";
  await until("the listener has said why", () => listener.refusals.length > before);
  const why = listener.refusals.at(-1);
  return why instanceof EdgeError ? `${why.reason}: ${why.message}` : String(why);
}

leakTest("certificates that Go takes are taken, also those that the runtime would refuse", async () => {
  await using listener = await guarded(authority.certPem);
  const usages = {
    "clientAuth": ["extendedKeyUsage=clientAuth"],
    "any purpose": ["extendedKeyUsage=anyExtendedKeyUsage"],
    "no purposes": ["keyUsage=digitalSignature"],
    "policies": ["certificatePolicies=1.2.3.4"],
    "a CA of its own": ["basicConstraints=CA:TRUE"],
  };
  for (const [name, extensions] of Object.entries(usages)) {
    assert.equal(await outcome(listener, await issued(extensions)), "served", name);
  }
  const between = await issued(authorityExtensions, { subject: "/CN=between" });
  const below = await issued(["extendedKeyUsage=anyExtendedKeyUsage"], { issuer: between });
  assert.equal(await outcome(listener, below, between.certPem), "served");
});

leakTest("what the runtime lets a CA issue against its own word is refused, each time it is shown", async () => {
  const short = await opensslCertificate({
    subject: "/CN=short",
    extensions: ["basicConstraints=critical,CA:TRUE,pathlen:0", "keyUsage=critical,keyCertSign"],
  });
  await using listener = await guarded(authority.certPem + short.certPem);
  const usage = ["extendedKeyUsage=clientAuth"];
  const authorityOnly = "basicConstraints=critical,CA:TRUE";
  const cases: readonly (readonly [OpensslPair, readonly string[], RegExp])[] = [
    [authority, [authorityOnly, "keyUsage=critical,digitalSignature"], /CN=between has a keyUsage without keyCertSign/],
    [
      authority,
      [authorityOnly, "extendedKeyUsage=serverAuth"],
      /CN=between has an extendedKeyUsage without clientAuth/,
    ],
    [short, authorityExtensions, /CN=short allows 0 CAs below it/],
  ];
  for (const [issuer, extensions, expected] of cases) {
    const between = await issued(extensions, { subject: "/CN=between", issuer });
    for (const own of [usage, ["extendedKeyUsage=anyExtendedKeyUsage"]]) {
      const leaf = await issued(own, { issuer: between });
      for (let time = 0; time < 2; time++) assert.match(await outcome(listener, leaf, between.certPem), expected);
    }
  }
  assert.equal(await outcome(listener, await issued(usage, { issuer: short })), "served");
});

leakTest("each refusal of a certificate names the property, and is counted as such", async () => {
  await using listener = await guarded(authority.certPem);
  const hour = 3_600_000;
  const past = { notBefore: new Date(Date.now() - 2 * hour), notAfter: new Date(Date.now() - hour) };
  const future = { notBefore: new Date(Date.now() + hour), notAfter: new Date(Date.now() + 2 * hour) };
  const dated = async (validity: typeof past) => {
    // The other tool takes keys of its own kind only.
    const ca = await issueAuthority({ commonName: "dated", keyKind: "p-256" });
    const leaf = await issueLeaf(ca, { commonName: "dated", usages: ["client"], keyKind: "p-256", validity });
    return { ca, leaf };
  };
  const refusals: readonly (readonly [OpensslPair, RegExp])[] = [
    [await issued(["extendedKeyUsage=codeSigning"]), /CN=somebody has an extendedKeyUsage without clientAuth/],
    [await issued([]), /is of X\.509 version 1, issue it as version 3/],
    [
      await issued(["keyUsage=digitalSignature"], {
        issuer: await opensslCertificate({ subject: "/CN=other", extensions: authorityExtensions }),
      }),
      /was issued by CN=other, which is not among the CAs that are trusted here/,
    ],
    [
      await issued(["keyUsage=digitalSignature"], {
        issuer: await opensslCertificate({ subject: "/CN=the CA", extensions: authorityExtensions }),
      }),
      /does not bear a signature of its CA CN=the CA that can be verified/,
    ],
  ];
  for (const [pair, expected] of refusals) {
    const seen = await outcome(listener, pair);
    assert.match(seen, /^bad_certificate: /);
    assert.match(seen, expected);
  }
  for (const [validity, expected] of [[past, /expired on \d{4}-/], [future, /is valid from \d{4}-.* only/]] as const) {
    const { ca, leaf } = await dated(validity);
    await using other = await guarded(ca.certPem);
    assert.match(await outcome(other, leaf), expected);
  }
  // Such certificates this runtime cannot even show.
  const unreadable = [
    await issued(["certificatePolicies=critical,1.2.3.4"]),
    await issued(["extendedKeyUsage=clientAuth"], { key: testKeys.rsa1024 }),
  ];
  for (const pair of unreadable) {
    const before = listener.refusals.length;
    await showByOpenssl(listener.port, pair, "-cipher", "DEFAULT@SECLEVEL=0");
    await until("the listener has said why", () => listener.refusals.length > before);
    const why = listener.refusals.at(-1);
    assert.ok(why instanceof EdgeError && why.reason === "bad_certificate", String(why));
    assert.match(why.message, /critical extension that is not known here, a key that is too small/);
  }
});

leakTest(
  "what is listed as a CA does not get in by itself, where it is no CA, old, or its key is somebody else's",
  async () => {
    // Version 1: the runtime asks for no proof of the key.
    const first = await opensslCertificate({ subject: "/CN=first", extensions: [] });
    const stranger = await opensslCertificate({ subject: "/CN=stranger", extensions: [] });
    const small = await opensslCertificate({
      subject: "/CN=small",
      extensions: authorityExtensions,
      key: testKeys.rsa1024,
    });
    const none = await opensslCertificate({ subject: "/CN=none", extensions: ["basicConstraints=CA:FALSE"] });
    const hour = 3_600_000;
    const old = await issueAuthority({
      commonName: "old",
      keyKind: "p-256",
      validity: { notBefore: new Date(Date.now() - 2 * hour), notAfter: new Date(Date.now() - hour) },
    });
    await using listener = await guarded([first, small, none, old].map(({ certPem }) => certPem).join(""));
    assert.match(await outcome(listener, { ...first, keyPem: stranger.keyPem }), /X\.509 version 1/);
    assert.match(await outcome(listener, old), /expired on/);
    const usage = ["extendedKeyUsage=clientAuth"];
    assert.equal(await outcome(listener, await issued(usage, { issuer: first })), "served");
    assert.match(await outcome(listener, await issued(usage, { issuer: none })), /lacks basicConstraints with CA:TRUE/);
    assert.match(await outcome(listener, await issued(usage, { issuer: small })), /has an RSA key of 1024 bits/);
    const late = await issueLeaf(old, { commonName: "late", usages: ["client"], keyKind: "p-256" });
    assert.match(await outcome(listener, late), /its CA CN=old expired on/);
    // One that is listed, and has its key, is trusted as itself.
    assert.equal(await outcome(listener, none), "served");
  },
);

leakTest(
  "with more CAs than OpenSSL takes names of none is named, and their clients come in with TLS 1.2",
  async () => {
    const many = await Promise.all(Array.from({ length: 145 }, (_, at) =>
      issueAuthority({
        commonName:
          `one of a great number of authorities with a name that is rather long, this being number ${at} of them`,
        keyKind: "p-256",
      })));
    await using listener = await guarded(many.map(({ certPem }) => certPem).join("\n"));
    for (const [at, expected] of [[144, true], [-1, false]] as const) {
      const ca = many[at] ?? await issueAuthority({ commonName: "a stranger's", keyKind: "p-256" });
      const leaf = await issueLeaf(ca, { commonName: "client", usages: ["client"], keyKind: "p-256" });
      for (const version of ["-tls1_2", "-tls1_3"]) {
        const text = await showByOpenssl(listener.port, leaf, version);
        assert.match(text, /No client certificate CA names sent/);
        assert.match(text, /^New, TLSv1\.[23], Cipher is (?!\(NONE\))/m);
      }
      const seen = await outcome(listener, leaf);
      if (expected) assert.equal(seen, "served");
      else assert.match(seen, /not among the CAs that are trusted here/);
    }
  },
);

/** Connects with openssl. @returns what it says of the handshake */
async function showByOpenssl(port: number, { certPem, keyPem }: OpensslPair, ...args: string[]): Promise<string> {
  const dir = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${dir}/crt`, certPem);
    await Deno.writeTextFile(`${dir}/key`, keyPem);
    const { stdout } = await new Deno.Command("openssl", {
      args: ["s_client", "-connect", `127.0.0.1:${port}`, "-cert", `${dir}/crt`, "-key", `${dir}/key`, ...args],
      stdin: "null",
      stderr: "null",
    }).output();
    return new TextDecoder().decode(stdout);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}
