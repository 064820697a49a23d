import { checkServerIdentity } from "node:tls";
import { isIP } from "node:net";
import { certificateNames } from "../../../runtime/tls/certificate_names.ts";
import { type CertificateSet, certificateSets, leafOf, readNamed } from "./certificate_sets.ts";
import { type Finding, Findings } from "./finding.ts";
import type { Part } from "./part.ts";

/** A host by which peers connect to a server, and who says so. */
interface Asked {
  readonly host: string;
  readonly from: string;
}

/**
 * The names in servers' certificates against the hosts that agents connect to.
 * @param hosts those that the command line of the check names
 */
export async function checkNames(parts: readonly Part[], hosts: readonly string[]): Promise<readonly Finding[]> {
  const findings = new Findings("names");
  const asked: Asked[] = [
    ...hosts.map((host) => ({ host, from: "--server-host" })),
    ...parts.flatMap((part) =>
      part.role === "agent" ? part.options.proxyServerHosts.map((host) => ({ host, from: part.label })) : []
    ),
  ];
  for (const set of parts.flatMap(certificateSets)) {
    if (set.peers === "agents") await checkSet(set, asked, findings);
  }
  return findings.list;
}

async function checkSet({ part, cert }: CertificateSet, asked: readonly Asked[], findings: Findings): Promise<void> {
  const subject = `${part.label}: ${cert.flag}`;
  let names: ReturnType<typeof certificateNames>;
  try {
    const text = await readNamed(part, cert);
    if (text === undefined) return;
    names = certificateNames(leafOf(text).der);
  } catch {
    // The check of certificates says what is wrong with the file.
    return;
  }
  const all = [...names.dnsNames, ...names.addresses];
  if (asked.length === 0) {
    return findings.skip(
      subject,
      `it is for ${all.join(", ")}; name the hosts that agents connect to with --server-host`,
    );
  }
  for (const { host, from } of asked) {
    if (isNamed(host, names)) {
      findings.ok(subject, `it is for ${host}, which agents connect to (${from})`);
      continue;
    }
    const wanted = isIP(host) === 0 ? `DNS:${host}` : `IP:${host}`;
    findings.fail(
      subject,
      `${cert.path} is for ${
        all.join(", ") || "no name"
      }, and agents connect to ${host} (${from}): issue it with ${wanted} ` +
        "among its subject alternative names",
    );
  }
}

function isNamed(host: string, { dnsNames, addresses }: ReturnType<typeof certificateNames>): boolean {
  const texts = [
    ...dnsNames.filter((name) => !/[,"\s]/.test(name)).map((name) => `DNS:${name}`),
    ...addresses.map((address) => `IP Address:${address}`),
  ];
  if (texts.length === 0) return false;
  // Only names are looked at of what the runtime calls a certificate.
  const certificate = { subject: { CN: "" }, subjectaltname: texts.join(", ") };
  return checkServerIdentity(host, certificate as unknown as Parameters<typeof checkServerIdentity>[1]) === undefined;
}
