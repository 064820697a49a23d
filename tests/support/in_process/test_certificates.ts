import { issueAuthority, type IssuedPair, issueLeaf } from "../../../src/programs/certs/issue.ts";

/** Certificates for tests, as PEM text. */
export interface TestCertificates {
  readonly ca: IssuedPair;
  /** For localhost, 127.0.0.1 and ::1; usage serverAuth. */
  readonly server: IssuedPair;
  /** Usage clientAuth. */
  readonly client: IssuedPair;
}

let cached: Promise<TestCertificates> | undefined;

/** One authority, server and client (P-256), made once in a process. */
export function testCertificates(): Promise<TestCertificates> {
  cached ??= makeTestCertificates("test CA");
  return cached;
}

/** A fresh set, from an authority that nobody else trusts. */
export async function makeTestCertificates(authorityName: string): Promise<TestCertificates> {
  const keyKind = "p-256";
  const ca = await issueAuthority({ commonName: authorityName, keyKind });
  const addresses = ["127.0.0.1", "::1"];
  return {
    ca,
    server: await issueLeaf(ca, {
      commonName: "test server",
      usages: ["server"],
      names: ["localhost"],
      addresses,
      keyKind,
    }),
    client: await issueLeaf(ca, { commonName: "test client", usages: ["client"], keyKind }),
  };
}

/** The files of one {@link TestCertificates}, for programs that take paths. */
export interface TestCertificateFiles {
  readonly caCert: string;
  readonly serverCert: string;
  readonly serverKey: string;
  readonly clientCert: string;
  readonly clientKey: string;
}

/** Writes the certificates into a folder that exists. */
export async function writeTestCertificates(
  dir: string,
  certificates: TestCertificates,
): Promise<TestCertificateFiles> {
  const { ca, server, client } = certificates;
  const write = async (name: string, text: string): Promise<string> => {
    const path = `${dir}/${name}`;
    await Deno.writeTextFile(path, text, { mode: 0o600 });
    return path;
  };
  return {
    caCert: await write("ca.crt", ca.certPem),
    serverCert: await write("server.crt", server.certPem),
    serverKey: await write("server.key", server.keyPem),
    clientCert: await write("client.crt", client.certPem),
    clientKey: await write("client.key", client.keyPem),
  };
}
