import assert from "node:assert/strict";
import { until } from "../../../tests/support/assert/until.ts";
import { issueLeaf } from "../../programs/certs/issue.ts";
import { makeTestCertificates, testCertificates } from "../../../tests/support/in_process/test_certificates.ts";
import { probeFile } from "../../flags/file_probe.ts";
import { readTlsFiles, TlsFilesError, tlsFilesReader } from "./tls_files.ts";
import { systemClock } from "../../runtime/system_clock.ts";

/** A folder with some files, removed after the test. */
async function withFiles(
  contents: Readonly<Record<string, string>>,
  body: (path: (name: string) => string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(contents)) await Deno.writeTextFile(`${folder}/${name}`, text);
    await body((name) => `${folder}/${name}`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What reading a CA file comes to: how many certificates it holds, or the error's text. */
async function readCa(text: string): Promise<number | string> {
  let result: number | string = "";
  await withFiles({ "ca.crt": text }, async (path) => {
    try {
      const { ca = "" } = await readTlsFiles({ ca: path("ca.crt"), cert: "", key: "" }, systemClock);
      result = ca.split("-----BEGIN CERTIFICATE-----").length - 1;
    } catch (error) {
      assert.ok(error instanceof TlsFilesError && error.code === "bad-tls-files");
      assert.ok(error.message.includes(path("ca.crt")), error.message);
      result = error.message;
    }
  });
  return result;
}

const badBase64 = "-----BEGIN CERTIFICATE-----\n!!! no base64 !!!\n-----END CERTIFICATE-----\n";
/** Well-formed PEM whose bytes are no certificate. */
const badDer = `-----BEGIN CERTIFICATE-----\n${btoa("no certificate")}\n-----END CERTIFICATE-----\n`;

Deno.test("[server 13.3-5] [agent 9-30] a CA bundle: what is no certificate is skipped, one that cannot be decoded fails the file", async () => {
  const { ca, server } = await testCertificates();
  const other = await makeTestCertificates("another CA");
  assert.equal(await readCa(ca.certPem), 1);
  assert.equal(await readCa(`${ca.certPem}\n${other.ca.certPem}`), 2);
  assert.equal(await readCa(`# as openssl prints it\nsubject=CN = x\n${ca.certPem}`), 1);
  assert.equal(await readCa(`${ca.certPem}\n${server.keyPem}`), 1, "another kind of block");
  assert.equal(await readCa(`${ca.certPem}\n${other.ca.certPem.slice(0, 200)}`), 1, "a block that is cut off");
  assert.equal(await readCa(ca.certPem + badBase64), 1);
  assert.match(String(await readCa(ca.certPem + badDer)), /holds a certificate that cannot be decoded/);
  for (const empty of ["", "nothing", server.keyPem, badBase64]) {
    assert.match(String(await readCa(empty)), /^failed to load CA cert: .* holds no certificate$/);
  }
});

Deno.test("[pains a-31] a malformed certificate is refused with the file's name, wherever in the bundle it stands", async () => {
  const { ca } = await testCertificates();
  assert.match(String(await readCa(badDer + ca.certPem)), /ca\.crt holds a certificate that cannot be decoded/);
  assert.match(String(await readCa(badDer)), /ca\.crt holds a certificate that cannot be decoded/);
});

Deno.test("a pair is read whole, its chain included, and must match", async () => {
  const { ca, server, client } = await testCertificates();
  const files = {
    "tls.crt": server.certPem + ca.certPem,
    "tls.key": server.keyPem,
    "other.key": client.keyPem,
    "no.key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
  };
  await withFiles(files, async (path) => {
    const read = (cert: string, key: string) =>
      readTlsFiles({ ca: "", cert: cert === "" ? "" : path(cert), key: key === "" ? "" : path(key) }, systemClock);
    const { cert = "", key, ca: none } = await read("tls.crt", "tls.key");
    assert.equal(cert.split("-----BEGIN CERTIFICATE-----").length - 1, 2);
    assert.equal(key, server.keyPem);
    assert.equal(none, undefined);
    const prefix = /^failed to load X509 key pair .*tls\.crt and .*key: /;
    await assert.rejects(read("tls.crt", "other.key"), (error: Error) => {
      return prefix.test(error.message) && error.message.endsWith("private key does not match public key");
    });
    await assert.rejects(read("tls.crt", "no.key"), (error: Error) => {
      return prefix.test(error.message) && error.message.includes("the private key cannot be read");
    });
    await assert.rejects(read("tls.crt", "missing.key"), /cannot read .*missing\.key: /);
    await assert.rejects(read("missing.crt", "tls.key"), /cannot read .*missing\.crt: /);
    await assert.rejects(read("tls.key", "tls.key"), /holds no certificate/);
  });
});

Deno.test("a certificate that has expired is refused with its file's name, for no peer would take it", async () => {
  const { ca } = await testCertificates();
  const validity = { notBefore: new Date(Date.now() - 7_200_000), notAfter: new Date(Date.now() - 3_600_000) };
  const old = await issueLeaf(ca, { commonName: "old", usages: ["server"], keyKind: "p-256", validity });
  await withFiles({ "tls.crt": old.certPem, "tls.key": old.keyPem }, async (path) => {
    await assert.rejects(readTlsFiles({ ca: "", cert: path("tls.crt"), key: path("tls.key") }, systemClock), {
      code: "bad-tls-files",
      message: new RegExp(`${path("tls.crt")} expired on \\d{4}-`),
    });
  });
});

Deno.test("a file that never ends is refused, and takes no more memory than a large one", async () => {
  await assert.rejects(readTlsFiles({ ca: "/dev/zero", cert: "", key: "" }, systemClock), {
    code: "bad-tls-files",
    message: "cannot read /dev/zero: it has more than 16 MiB",
  });
});

Deno.test("a pipe is read while somebody writes to it, and refused where nobody does", async () => {
  const { ca } = await testCertificates();
  await withFiles({}, async (path) => {
    const pipe = path("pipe");
    assert.ok((await new Deno.Command("mkfifo", { args: [pipe] }).output()).success);
    const files = { ca: pipe, cert: "", key: "" };
    assert.deepEqual(await probeFile(pipe), { kind: "readable" });
    const reading = readTlsFiles(files, systemClock);
    const writer = await Deno.open(pipe, { write: true });
    await writer.write(new TextEncoder().encode(ca.certPem.slice(0, 100)));
    await writer.write(new TextEncoder().encode(ca.certPem.slice(100)));
    writer.close();
    assert.equal((await reading).ca, ca.certPem);
    await assert.rejects(readTlsFiles(files, systemClock), {
      code: "bad-tls-files",
      message: `cannot read ${pipe}: it is a pipe to which nobody wrote to the end in 2 s`,
    });
  });
});

Deno.test("what has not changed is not checked again, but for the end of the own certificate", async () => {
  const { ca, server } = await testCertificates();
  const validity = { notBefore: new Date(Date.now() - 3_600_000), notAfter: new Date(Date.now() + 3_000) };
  const ending = await issueLeaf(ca, { commonName: "ending", usages: ["server"], keyKind: "p-256", validity });
  const contents = { "ca.crt": ca.certPem, "tls.crt": ending.certPem, "tls.key": ending.keyPem };
  await withFiles(contents, async (path) => {
    const read = tlsFilesReader({ ca: path("ca.crt"), cert: path("tls.crt"), key: path("tls.key") }, systemClock);
    const first = await read();
    assert.equal(await read(), first, "the very same");
    await until("it has expired", async () => {
      try {
        await read();
        return false;
      } catch (error) {
        return error instanceof TlsFilesError && / expired on /.test(error.message);
      }
    });
    await Deno.writeTextFile(path("tls.crt"), server.certPem);
    await assert.rejects(read(), /private key does not match public key/);
    await assert.rejects(read(), /private key does not match public key/);
    await Deno.writeTextFile(path("tls.key"), server.keyPem);
    assert.equal((await read()).key, server.keyPem);
  });
});
