import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { dirname } from "node:path";
import { connect, createServer, type TLSSocket } from "node:tls";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { CertificateTreeError, makeCertificateTree } from "./certificate_tree.ts";
import { issueAuthority, issueLeaf } from "./issue.ts";

const treeFiles = [
  "agent/issued/ca.crt",
  "agent/issued/proxy-agent.crt",
  "agent/issued/proxy-frontend.crt",
  "agent/private/ca.key",
  "agent/private/proxy-agent.key",
  "agent/private/proxy-frontend.key",
  "frontend/issued/ca.crt",
  "frontend/issued/proxy-client.crt",
  "frontend/issued/proxy-frontend.crt",
  "frontend/private/ca.key",
  "frontend/private/proxy-client.key",
  "frontend/private/proxy-frontend.key",
];
const serverIp = "10.1.2.3";

/** One tree for the tests that only read: RSA keys take their time. */
let shared: Promise<string> | undefined;

function sharedTree(): Promise<string> {
  shared ??= (async () => {
    const dir = await Deno.makeTempDir({ prefix: "konnectivity-certs-" });
    await makeCertificateTree({ dir, serverIp, force: false });
    return dir;
  })();
  return shared;
}

Deno.test.afterAll(async () => {
  if (shared !== undefined) await Deno.remove(await shared, { recursive: true });
});

leakTest("[client 3.1] the tree has the original's twelve files, for their owner only", async () => {
  const dir = await sharedTree();
  const found = await filesBelow(dir);
  assert.deepEqual([...found.keys()].sort(), treeFiles);
  for (const [path, info] of found) assert.equal((info.mode ?? 0) & 0o777, 0o600, path);
});

leakTest("[client 3.1] certificates have the original's names, usages, lifetime and key size", async () => {
  const dir = await sharedTree();
  const server = { ca: false, keyUsage: ["DigitalSignature", "KeyEncipherment"], extended: ["1.3.6.1.5.5.7.3.1"] };
  const client = { ca: false, keyUsage: ["DigitalSignature"], extended: ["1.3.6.1.5.5.7.3.2"] };
  const authority = { ca: true, keyUsage: ["KeyCertSign", "CrlSign"], extended: [] };
  const names = "DNS:kubernetes, DNS:localhost, IP Address:";
  const expected: [string, RegExp, string | undefined, typeof server][] = [
    ["frontend/issued/ca.crt", /^CN=127\.0\.0\.1@\d+$/, undefined, authority],
    ["frontend/issued/proxy-frontend.crt", /^CN=proxy-frontend$/, `${names}127.0.0.1`, server],
    ["frontend/issued/proxy-client.crt", /^CN=proxy-client$/, undefined, client],
    ["agent/issued/ca.crt", /^CN=10\.1\.2\.3@\d+$/, undefined, authority],
    ["agent/issued/proxy-frontend.crt", /^CN=proxy-frontend$/, `${names}${serverIp}`, server],
    ["agent/issued/proxy-agent.crt", /^CN=proxy-agent$/, undefined, client],
  ];
  for (const [path, subject, alternatives, profile] of expected) {
    const certificate = new X509Certificate(await Deno.readTextFile(`${dir}/${path}`));
    assert.match(certificate.subject, subject, path);
    assert.equal(certificate.subjectAltName, alternatives, path);
    assert.equal(certificate.ca, profile.ca, path);
    const details = await detailsOf(`${dir}/${path}`);
    assert.deepEqual(details.keyUsage, profile.keyUsage, path);
    assert.deepEqual(details.extended, profile.extended, path);
    assert.equal(details.algorithm, "RSASSA-PKCS1-v1_5 SHA-256 2048", path);
    assert.ok(details.hasKeyIds, path);
    const days = (certificate.validToDate.getTime() - certificate.validFromDate.getTime()) / 86_400_000;
    assert.equal(days, 3650, path);
  }
  for (const path of treeFiles.filter((name) => name.endsWith(".key"))) {
    assert.match(await Deno.readTextFile(`${dir}/${path}`), /^-----BEGIN PRIVATE KEY-----\n/, path);
  }
});

leakTest("[client 3.1] openssl accepts every certificate under its strictest check", async () => {
  if (!await opensslIsThere()) {
    assert.notEqual(Deno.env.get("CI"), "true", "openssl is missing");
    // deno-lint-ignore no-console -- a test that proves less than it says must say so
    console.warn("openssl is not installed: its opinion of the certificates is not asked");
    return;
  }
  const dir = await sharedTree();
  const cases = [
    ["frontend", "proxy-frontend", "sslserver"],
    ["frontend", "proxy-client", "sslclient"],
    ["agent", "proxy-frontend", "sslserver"],
    ["agent", "proxy-agent", "sslclient"],
  ] as const;
  for (const [pki, name, purpose] of cases) {
    const issued = `${dir}/${pki}/issued`;
    const args = [
      "verify",
      "-x509_strict",
      "-purpose",
      purpose,
      "-CAfile",
      `${issued}/ca.crt`,
      `${issued}/${name}.crt`,
    ];
    const { success, stderr } = await new Deno.Command("openssl", { args, stdout: "null" }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
  }
});

for (const [pki, client] of [["frontend", "proxy-client"], ["agent", "proxy-agent"]] as const) {
  leakTest(`server and client of the ${pki} authority meet over mutual TLS`, async () => {
    const dir = await sharedTree();
    const name = await handshake(dir, pki, pki, client);
    assert.equal(name, client);
  });
}

leakTest("a client of the other authority is turned away", async () => {
  const dir = await sharedTree();
  await assert.rejects(handshake(dir, "agent", "frontend", "proxy-client"));
});

leakTest("a second run leaves good files alone, and one with force renews all", async () => {
  await inTemporaryFolder(async (dir) => {
    const first = await makeCertificateTree({ dir, serverIp, force: false });
    assert.equal(first.written.length, treeFiles.length);
    assert.deepEqual(first.kept, []);
    const before = await texts(dir);

    const second = await makeCertificateTree({ dir, serverIp, force: false });
    assert.deepEqual(second.written, []);
    assert.equal(second.kept.length, treeFiles.length);
    assert.deepEqual(await texts(dir), before);

    const renewed = await makeCertificateTree({ dir, serverIp, force: true });
    assert.equal(renewed.written.length, treeFiles.length);
    const after = await texts(dir);
    assert.deepEqual([...after.keys()].sort(), treeFiles);
    for (const [path, text] of after) assert.notEqual(text, before.get(path), path);
  });
});

leakTest("a missing pair is issued by the authority that is there", async () => {
  await inTemporaryFolder(async (dir) => {
    await copyTree(await sharedTree(), dir);
    await Deno.remove(`${dir}/agent/issued/proxy-agent.crt`);
    await Deno.remove(`${dir}/agent/private/proxy-agent.key`);
    const { written } = await makeCertificateTree({ dir, serverIp, force: false });
    assert.deepEqual(written, [`${dir}/agent/private/proxy-agent.key`, `${dir}/agent/issued/proxy-agent.crt`]);
    assert.equal(await handshake(dir, "agent", "agent", "proxy-agent"), "proxy-agent");
  });
});

const refusals: [string, CertificateTreeError["code"], RegExp, (dir: string) => Promise<void>][] = [
  ["half a pair", "half-made", /proxy-agent\.crt exists but .*proxy-agent\.key does not/, async (dir) => {
    await Deno.remove(`${dir}/agent/private/proxy-agent.key`);
  }],
  ["an authority without its key", "half-made", /ca\.crt exists but .*ca\.key does not/, async (dir) => {
    await Deno.remove(`${dir}/frontend/private/ca.key`);
  }],
  ["certificates without their authority", "half-made", /proxy-frontend\.crt exists but its authority/, async (dir) => {
    await Deno.remove(`${dir}/frontend/private/ca.key`);
    await Deno.remove(`${dir}/frontend/issued/ca.crt`);
  }],
  ["a key of another certificate", "bad-pair", /proxy-client\.key is not the key of/, async (dir) => {
    await Deno.copyFile(`${dir}/agent/private/proxy-agent.key`, `${dir}/frontend/private/proxy-client.key`);
  }],
  ["a certificate of another authority", "bad-pair", /proxy-client\.crt was not issued by/, async (dir) => {
    await Deno.copyFile(`${dir}/agent/private/proxy-agent.key`, `${dir}/frontend/private/proxy-client.key`);
    await Deno.copyFile(`${dir}/agent/issued/proxy-agent.crt`, `${dir}/frontend/issued/proxy-client.crt`);
  }],
  ["a file that is no certificate", "bad-pair", /proxy-client\.crt holds no certificate/, async (dir) => {
    await Deno.writeTextFile(`${dir}/frontend/issued/proxy-client.crt`, "nothing");
  }],
  ["an expired certificate", "expired", /proxy-client\.crt expired on/, async (dir) => {
    const authority = {
      certPem: await Deno.readTextFile(`${dir}/frontend/issued/ca.crt`),
      keyPem: await Deno.readTextFile(`${dir}/frontend/private/ca.key`),
    };
    const validity = { notBefore: new Date(0), notAfter: new Date(86_400_000) };
    const pair = await issueLeaf(authority, { commonName: "proxy-client", usages: ["client"], validity });
    await Deno.writeTextFile(`${dir}/frontend/issued/proxy-client.crt`, pair.certPem);
    await Deno.writeTextFile(`${dir}/frontend/private/proxy-client.key`, pair.keyPem);
  }],
];
for (const [what, code, message, damage] of refusals) {
  leakTest(`a tree with ${what} is reported, not touched`, async () => {
    await inTemporaryFolder(async (dir) => {
      await copyTree(await sharedTree(), dir);
      await damage(dir);
      const before = await texts(dir);
      await assert.rejects(makeCertificateTree({ dir, serverIp, force: false }), { code, message });
      assert.deepEqual(await texts(dir), before);
    });
  });
}

leakTest("a tree made for another server address is reported, not taken for good", async () => {
  const dir = await sharedTree();
  const made = makeCertificateTree({ dir, serverIp: "10.9.9.9", force: false });
  await assert.rejects(made, { code: "wrong-address", message: /proxy-frontend\.crt is not valid for 10\.9\.9\.9/ });
});

leakTest("a server address that is no IP address is refused", async () => {
  const made = makeCertificateTree({ dir: "unused", serverIp: "proxy.example", force: false });
  await assert.rejects(made, { code: "bad-server-ip" });
});

leakTest("a folder that cannot be written is named", async () => {
  await inTemporaryFolder(async (dir) => {
    await Deno.writeTextFile(`${dir}/file`, "");
    const made = makeCertificateTree({ dir: `${dir}/file`, serverIp, force: true });
    await assert.rejects(made, (error) => error instanceof CertificateTreeError && error.message.includes(dir));
  });
});

leakTest("an IPv6 address becomes a server's alternative name", async () => {
  const keyKind = "p-256";
  const authority = await issueAuthority({ commonName: "a", keyKind });
  const leaf = await issueLeaf(authority, { commonName: "b", usages: ["server"], addresses: ["fd00::1"], keyKind });
  assert.equal(new X509Certificate(leaf.certPem).checkIP("fd00::1"), "fd00::1");
});

leakTest("keys in the default folder stay out of git", async () => {
  const ignored = await Deno.readTextFile(new URL("../../../.gitignore", import.meta.url));
  assert.ok(ignored.split("\n").includes("/certs/"));
});

/** @returns the common name that the server saw on the client's certificate */
async function handshake(dir: string, pki: string, clientPki: string, clientName: string): Promise<string> {
  const read = (path: string) => Deno.readTextFileSync(`${dir}/${path}`);
  const server = createServer({
    ca: read(`${pki}/issued/ca.crt`),
    cert: read(`${pki}/issued/proxy-frontend.crt`),
    key: read(`${pki}/private/proxy-frontend.key`),
    requestCert: true,
    rejectUnauthorized: true,
  });
  const seen = Promise.withResolvers<string>();
  seen.promise.catch(() => {});
  server.on("secureConnection", (socket: TLSSocket) => {
    socket.on("error", () => {});
    seen.resolve(String(socket.getPeerCertificate().subject.CN));
    socket.end();
  });
  server.on("tlsClientError", (error) => seen.reject(error));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const socket = connect({
    port: address.port,
    host: "127.0.0.1",
    servername: "localhost",
    ca: read(`${pki}/issued/ca.crt`),
    cert: read(`${clientPki}/issued/${clientName}.crt`),
    key: read(`${clientPki}/private/${clientName}.key`),
  });
  socket.on("error", (error) => seen.reject(error));
  socket.resume();
  try {
    return await seen.promise;
  } finally {
    socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

interface Details {
  readonly keyUsage: string[];
  readonly extended: string[];
  readonly algorithm: string;
  readonly hasKeyIds: boolean;
}

async function detailsOf(path: string): Promise<Details> {
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  const certificate = new x509.X509Certificate(await Deno.readTextFile(path));
  const usages = certificate.getExtension(x509.KeyUsagesExtension)?.usages ?? 0;
  const flags = ["DigitalSignature", "KeyEncipherment", "KeyCertSign", "CrlSign"] as const;
  const bits = [
    x509.KeyUsageFlags.digitalSignature,
    x509.KeyUsageFlags.keyEncipherment,
    x509.KeyUsageFlags.keyCertSign,
    x509.KeyUsageFlags.cRLSign,
  ];
  const known = bits.reduce((sum, bit) => sum | bit, 0);
  assert.equal(usages & ~known, 0, path);
  const key = await certificate.publicKey.export();
  assert.ok("modulusLength" in key.algorithm);
  const hash = "hash" in certificate.signatureAlgorithm ? certificate.signatureAlgorithm.hash : undefined;
  const hashName = typeof hash === "object" && hash !== null && "name" in hash ? String(hash.name) : String(hash);
  return {
    keyUsage: flags.filter((_, at) => (usages & (bits[at] ?? 0)) !== 0),
    extended: Array.from(certificate.getExtension(x509.ExtendedKeyUsageExtension)?.usages ?? [], String),
    algorithm: `${certificate.signatureAlgorithm.name} ${hashName} ${key.algorithm.modulusLength}`,
    hasKeyIds: certificate.getExtension(x509.SubjectKeyIdentifierExtension) !== null &&
      certificate.getExtension(x509.AuthorityKeyIdentifierExtension) !== null,
  };
}

async function filesBelow(dir: string, under = ""): Promise<Map<string, Deno.FileInfo>> {
  const found = new Map<string, Deno.FileInfo>();
  for await (const entry of Deno.readDir(`${dir}/${under}`)) {
    const path = `${under}${entry.name}`;
    if (!entry.isDirectory) found.set(path, await Deno.stat(`${dir}/${path}`));
    else for (const [name, info] of await filesBelow(dir, `${path}/`)) found.set(name, info);
  }
  return found;
}

async function texts(dir: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const path of (await filesBelow(dir)).keys()) found.set(path, await Deno.readTextFile(`${dir}/${path}`));
  return found;
}

async function copyTree(from: string, to: string): Promise<void> {
  for (const path of treeFiles) {
    await Deno.mkdir(dirname(`${to}/${path}`), { recursive: true });
    await Deno.copyFile(`${from}/${path}`, `${to}/${path}`);
  }
}

async function inTemporaryFolder(body: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "konnectivity-certs-" });
  try {
    await body(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function opensslIsThere(): Promise<boolean> {
  try {
    return (await new Deno.Command("openssl", { args: ["version"], stdout: "null" }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
