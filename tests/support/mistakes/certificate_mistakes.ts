import { issueAuthority, issueLeaf } from "../../../src/programs/certs/issue.ts";
import type { Installation } from "../in_process/installation.ts";
import { type Mistake, server } from "./mistake.ts";

const dayMs = 86_400_000;

/** A certificate of the installation's CA, or another one's, for servers, in place of the good one. */
async function newServerCertificate(
  here: Installation,
  options: Partial<Parameters<typeof issueLeaf>[1]> = {},
  authority?: Awaited<ReturnType<typeof issueAuthority>>,
): Promise<void> {
  const ca = authority ?? await issueAuthority({ commonName: "other CA", keyKind: "p-256" });
  const leaf = await issueLeaf(ca, {
    commonName: "server",
    usages: ["server"],
    names: ["localhost"],
    addresses: ["127.0.0.1"],
    keyKind: "p-256",
    ...options,
  });
  here.server["cluster-ca-cert"] = await here.write("new-ca.crt", ca.certPem);
  here.server["cluster-cert"] = await here.write("new.crt", leaf.certPem);
  here.server["cluster-key"] = await here.write("new.key", leaf.keyPem);
}

function lasting(fromDays: number, toDays: number) {
  const at = (days: number) => new Date(Math.floor((Date.now() + days * dayMs) / 1000) * 1000);
  return { notBefore: at(fromDays), notAfter: at(toDays) };
}

/** Mistakes with certificates and their keys. */
export const certificateMistakes: readonly Mistake[] = [
  {
    what: "a key of another certificate",
    check: "certificates",
    text: /do not go together: private key does not match public key$/,
    made: (here) => {
      here.server["cluster-key"] = here.files.clientKey;
      return server(here);
    },
  },
  {
    what: "a certificate that has ended",
    check: "certificates",
    text: /expired on \d{4}-\d\d-\d\d: every peer refuses it, renew it$/,
    made: async (here) => {
      await newServerCertificate(here, { validity: lasting(-20, -10) });
      return await server(here);
    },
  },
  {
    what: "a certificate that ends within 60 days",
    check: "certificates",
    outcome: "warning",
    text: /ends in 39 days, on .*: renew it/,
    made: async (here) => {
      await newServerCertificate(here, { validity: lasting(-1, 39.5) });
      return await server(here);
    },
  },
  {
    what: "a certificate that is not valid yet",
    check: "certificates",
    text: /is valid from \d{4}/,
    made: async (here) => {
      await newServerCertificate(here, { validity: lasting(2, 100) });
      return await server(here);
    },
  },
  {
    what: "a client's certificate for a server",
    check: "certificates",
    text: /extendedKeyUsage without serverAuth/,
    made: (here) => {
      here.server["cluster-cert"] = here.files.clientCert;
      here.server["cluster-key"] = here.files.clientKey;
      return server(here);
    },
  },
  {
    what: "a certificate without names",
    check: "certificates",
    text: /no subjectAltName/,
    made: async (here) => {
      await newServerCertificate(here, { names: [], addresses: [] });
      return await server(here);
    },
  },
  {
    what: "a file that is missing",
    check: "certificates",
    text: /cannot read .*gone\.crt: /,
    made: (here) => {
      here.server["cluster-cert"] = `${here.folder}/gone.crt`;
      return server(here);
    },
  },
  {
    what: "a file with no certificate in it",
    check: "certificates",
    text: /holds no certificate$/,
    made: (here) => {
      here.server["cluster-cert"] = here.files.serverKey;
      return server(here);
    },
  },
  {
    what: "a certificate in DER",
    check: "certificates",
    text: /holds no certificate: it is DER, not PEM; openssl converts it$/,
    made: async (here) => {
      const der = Uint8Array.fromBase64((await Deno.readTextFile(here.files.caCert)).replace(/-----[^-]+-----/g, ""));
      here.server["cluster-ca-cert"] = `${here.folder}/ca.der`;
      await Deno.writeFile(`${here.folder}/ca.der`, der);
      return await server(here);
    },
  },
  {
    what: "a CA that is none",
    check: "certificates",
    text: /which is no CA for lack of basicConstraints/,
    made: (here) => {
      here.server["cluster-ca-cert"] = here.files.clientCert;
      return server(here);
    },
  },
  {
    what: "a CA that has ended",
    check: "certificates",
    text: /which is not valid now/,
    made: async (here) => {
      const ended = await issueAuthority({ commonName: "old CA", keyKind: "p-256", validity: lasting(-20, -10) });
      here.server["cluster-ca-cert"] = await here.write("old.crt", ended.certPem);
      return await server(here);
    },
  },
  {
    what: "a CA that was made anew under its name, with the old CA's certificate left in place",
    check: "certificates",
    text: /does not bear a signature of its CA .* that can be verified; issue it anew by the CA/,
    made: async (here) => {
      await newServerCertificate(here);
      const again = await issueAuthority({ commonName: "other CA", keyKind: "p-256" });
      here.server["cluster-ca-cert"] = await here.write("again.crt", again.certPem);
      return await server(here);
    },
  },
  {
    what: "agents that trust another CA than the server's",
    check: "certificates",
    text: /is not trusted by .*ca\.crt \(--ca-cert of Pod kube-system\/konnectivity-agent.*was issued by CN=other CA/,
    made: async (here) => {
      await newServerCertificate(here);
      return await here.check("-f", await here.manifest(here.pod("server"), here.pod("agent")));
    },
  },
];
