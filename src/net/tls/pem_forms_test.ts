import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { connect, createServer, type TLSSocket } from "node:tls";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { testCertificates } from "../../../tests/support/in_process/test_certificates.ts";
import { readTlsFiles, TlsFilesError } from "./tls_files.ts";
import { systemClock } from "../../runtime/system_clock.ts";

/** A certificate and its key in the files that people have. */
interface Form {
  readonly cert: string;
  readonly key: string;
}

async function openssl(input: string, ...args: string[]): Promise<string> {
  const child = new Deno.Command("openssl", { args, stdin: "piped", stdout: "piped", stderr: "null" }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { success, stdout } = await child.output();
  assert.ok(success, `openssl ${args.join(" ")}`);
  return new TextDecoder().decode(stdout);
}

async function temporaryFolder() {
  const path = await Deno.makeTempDir();
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** As `openssl pkcs12 -nodes` prints it, with bag attributes around the blocks. */
async function fromPkcs12(cert: string, key: string): Promise<string> {
  await using folder = await temporaryFolder();
  const pem = `${folder.path}/pem`;
  const p12 = `${folder.path}/p12`;
  await Deno.writeTextFile(pem, cert + key);
  await openssl("", "pkcs12", "-export", "-in", pem, "-passout", "pass:x", "-out", p12);
  return await openssl("", "pkcs12", "-in", p12, "-passin", "pass:x", "-nodes");
}

async function formsOf(cert: string, key: string, otherKey: string): Promise<Readonly<Record<string, Form>>> {
  const crlf = (text: string) => text.replaceAll("\n", "\r\n");
  const bundle = await fromPkcs12(cert, key);
  const sec1 = await openssl(key, "ec");
  const parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
  return {
    "as they are made": { cert, key },
    "an empty line behind the end": { cert: `${cert}\n`, key: `${key}\n` },
    "many empty lines, blanks and a tab": { cert: `\n\n${cert} \t\n\n`, key: `\n \n${key}\n\t \n` },
    "no line end at the end": { cert: cert.trimEnd(), key: key.trimEnd() },
    "CRLF": { cert: crlf(cert), key: crlf(key) },
    "blanks at the ends of lines": { cert: cert.replaceAll("\n", "  \n"), key: key.replaceAll("\n", " \n") },
    "text before and behind": { cert: `subject=x\n${cert}issuer=y\n`, key: `a key:\n${key}of somebody\n` },
    "both in one file, the certificate first": { cert: cert + key, key: cert + key },
    "both in one file, the key first": { cert: key + cert, key: key + cert },
    "two keys, of which the first counts": { cert, key: key + otherKey },
    "pkcs12 output": { cert: bundle, key: bundle },
    "a key of SEC 1 behind its parameters": { cert, key: parameters + sec1 },
  };
}

/** Whether both ends are satisfied with each other's certificate. */
async function handshake(server: { cert: string; key: string; ca: string }, client: typeof server): Promise<boolean> {
  const accepted = Promise.withResolvers<TLSSocket>();
  const listener = createServer({ ...server, requestCert: true, rejectUnauthorized: true }, accepted.resolve);
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", () => resolve()));
  const { port } = listener.address() as AddressInfo;
  const socket = connect({ host: "127.0.0.1", port, servername: "localhost", ...client, rejectUnauthorized: true });
  await new Promise<void>((resolve, reject) => void socket.once("secureConnect", resolve).once("error", reject));
  const peer = await accepted.promise;
  const isSound = socket.authorized && peer.authorized;
  const closed = new Promise((resolve) => peer.once("close", resolve));
  socket.destroy();
  await closed;
  await new Promise((resolve) => listener.close(resolve));
  return isSound;
}

leakTest(
  "certificates and keys are taken in the forms that people have them in, and peers get through with them",
  async () => {
    const { ca, server, client } = await testCertificates();
    await using folder = await temporaryFolder();
    const read = async ({ cert, key }: Form) => {
      await Deno.writeTextFile(`${folder.path}/cert`, cert);
      await Deno.writeTextFile(`${folder.path}/key`, key);
      await Deno.writeTextFile(`${folder.path}/ca`, `\r\nthe CA:\r\n${ca.certPem}\r\n\r\n`);
      const material = await readTlsFiles({
        cert: `${folder.path}/cert`,
        key: `${folder.path}/key`,
        ca: `${folder.path}/ca`,
      }, systemClock);
      return { cert: material.cert ?? "", key: material.key ?? "", ca: material.ca ?? "" };
    };
    const served = await formsOf(server.certPem, server.keyPem, client.keyPem);
    const shown = await formsOf(client.certPem, client.keyPem, server.keyPem);
    for (const [name, form] of Object.entries(served)) {
      const other = shown[name] ?? assert.fail(name);
      assert.equal(await handshake(await read(form), await read(other)), true, name);
    }
  },
);

Deno.test("a key file without a key, and one whose first key is another's, are refused with what is wrong", async () => {
  const { server, client } = await testCertificates();
  await using folder = await temporaryFolder();
  const files = { cert: `${folder.path}/cert`, key: `${folder.path}/key`, ca: "" };
  await Deno.writeTextFile(files.cert, server.certPem);
  const cases: readonly (readonly [string, RegExp])[] = [
    ["", /the private key cannot be read: there is no block of one$/],
    [server.certPem, /the private key cannot be read: there is no block of one$/],
    [server.keyPem.slice(0, -30), /the private key cannot be read: there is no block of one$/],
    [client.keyPem + server.keyPem, /private key does not match public key$/],
  ];
  for (const [key, why] of cases) {
    await Deno.writeTextFile(files.key, key);
    await assert.rejects(
      readTlsFiles(files, systemClock),
      (error) => error instanceof TlsFilesError && why.test(error.message),
    );
  }
});

Deno.test("a key with a passphrase is refused for that, and not by the library's own word", async () => {
  const { client } = await testCertificates();
  await using folder = await temporaryFolder();
  const files = { ca: "", cert: `${folder.path}/crt`, key: `${folder.path}/key` };
  await Deno.writeTextFile(files.cert, client.certPem);
  const encryptions = [["pkcs8", "-topk8", "-passout", "pass:x"], ["ec", "-aes128", "-passout", "pass:x"]];
  for (const [command = "", ...args] of encryptions) {
    await Deno.writeTextFile(files.key, await openssl(client.keyPem, command, ...args));
    await assert.rejects(readTlsFiles(files, systemClock), (error: Error) => {
      assert.ok(error instanceof TlsFilesError);
      return error.message.endsWith(
        "the private key cannot be read: it is encrypted; write it without a passphrase, as openssl pkey does",
      );
    });
  }
});
