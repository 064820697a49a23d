import { systemClock } from "../../../runtime/system_clock.ts";
import type { Certificate } from "../../../runtime/tls/certificate.ts";
import { certificatesIn } from "../../../runtime/tls/certificate.ts";
import { chainFault } from "../../../runtime/tls/certificate_chain.ts";
import { DerError } from "../../../runtime/tls/der.ts";
import { certificatesFault, keyFault } from "../../../runtime/tls/pem.ts";
import { certificateWarnings } from "../../../net/tls/certificate_warnings.ts";
import {
  type CertificateSet,
  certificateSets,
  certificatesOf,
  leafOf,
  type NamedFile,
  oneLine,
  readNamed,
} from "./certificate_sets.ts";
import { type Finding, Findings } from "./finding.ts";
import type { Part } from "./part.ts";

/** A certificate that ends within so many days is to be renewed. */
const expiryDays = 60;
const dayMs = 86_400_000;

/** Certificates, keys and CAs of all parts: their form, dates and chains, and whether they belong together. */
export async function checkCertificates(parts: readonly Part[]): Promise<readonly Finding[]> {
  const findings = new Findings("certificates");
  const sets = parts.flatMap(certificateSets);
  for (const set of sets) await checkSet(set, findings);
  for (const server of sets.filter(({ peers }) => peers === "agents")) {
    for (const agent of sets.filter(({ peers }) => peers === "servers")) await checkPair(server, agent, findings);
  }
  return findings.list;
}

async function checkSet(set: CertificateSet, findings: Findings): Promise<void> {
  const { part, cert, key, ca, purpose } = set;
  const texts = await Promise.all([cert, key, ca].map((file) => readOrSay(part, file, findings)));
  const [certText, keyText, caText] = texts;
  if (caText !== undefined) checkAuthorities(part, ca, caText, findings);
  if (certText === undefined) return;
  const subject = `${part.label}: ${cert.flag}`;
  const form = certificatesFault(certText);
  if (form !== undefined) return findings.fail(subject, `${cert.path} ${form}`);
  const mismatch = keyText === undefined ? undefined : keyFault(certText, keyText);
  if (mismatch !== undefined) {
    return findings.fail(subject, `${cert.path} and ${key.path} (${key.flag}) do not go together: ${mismatch}`);
  }
  const now = systemClock.timeOfDay();
  const files = { cert: cert.path, key: key.path, ca: "" };
  const [warning] = certificateWarnings(files, { cert: certText }, purpose, now);
  let leaf: Certificate;
  try {
    leaf = leafOf(certText);
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    return findings.fail(subject, warning ?? `${cert.path} cannot be read: ${error.message}`);
  }
  const ends = endText(leaf, now);
  if (leaf.validTo < now) return findings.fail(subject, `${cert.path} ${ends}: every peer refuses it, renew it`);
  if (warning !== undefined) return findings.fail(subject, warning);
  const chain = ownChainFault(set, leaf, certText, caText, now);
  if (chain !== undefined) return findings.fail(subject, `${cert.path} ${chain}`);
  if (leaf.validTo < now + expiryDays * dayMs) {
    return findings.warn(subject, `${cert.path} ${ends}: renew it, it is read again without a restart`);
  }
  findings.ok(subject, `${cert.path} is of ${oneLine(leaf.issuer)}, ${ends}`);
}

/** What is said of a file that cannot be read; one that is not here has been reported by the pod's check. */
async function readOrSay(part: Part, file: NamedFile, findings: Findings): Promise<string | undefined> {
  if (file.path === "") return undefined;
  try {
    const text = await readNamed(part, file);
    if (text === undefined) findings.skip(`${part.label}: ${file.flag}`, `${file.path} is not on this machine`);
    return text;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    findings.fail(`${part.label}: ${file.flag}`, `cannot read ${file.path}: ${why}`);
    return undefined;
  }
}

function checkAuthorities(part: Part, file: NamedFile, pem: string, findings: Findings): void {
  const subject = `${part.label}: ${file.flag}`;
  const form = certificatesFault(pem);
  if (form !== undefined) return findings.fail(subject, `${file.path} ${form}`);
  const now = systemClock.timeOfDay();
  const authorities = certificatesIn(pem);
  const warnings = certificateWarnings({ cert: "", key: "", ca: file.path }, { ca: pem }, "client", now);
  const good = authorities.some((each) => each.isAuthority && each.isValidAt(now));
  for (const warning of warnings) good ? findings.warn(subject, warning) : findings.fail(subject, warning);
  const soon = authorities.filter(({ validTo }) => validTo >= now && validTo < now + expiryDays * dayMs);
  for (const each of soon) {
    findings.warn(
      subject,
      `${file.path} lists the CA ${oneLine(each.subject)}, which ${endText(each, now)}: add its successor`,
    );
  }
  if (warnings.length + soon.length > 0) return;
  const [first] = authorities;
  const more = authorities.length === 1 || first === undefined ? "" : ` and ${authorities.length - 1} more`;
  findings.ok(subject, `${file.path} lists ${first === undefined ? "nobody" : oneLine(first.subject)}${more}`);
}

/**
 * Where the file of CAs beside a certificate has an issuer of its name, it is to be the one that signed it. Peers may be of
 * another CA than the program itself: that is no fault.
 */
function ownChainFault(
  { purpose, ca }: CertificateSet,
  leaf: Certificate,
  certText: string,
  caText: string | undefined,
  now: number,
): string | undefined {
  const [, ...presented] = certificatesIn(certText);
  const trusted = caText === undefined ? [] : certificatesIn(caText);
  const names = new Set([...trusted, ...presented].map(({ subject }) => subject));
  if (!names.has(leaf.issuer) || trusted.length === 0) return undefined;
  const top = [leaf, ...presented].some(({ issuer }) => trusted.some(({ subject }) => subject === issuer));
  const fault = top ? chainFault(leaf, presented, trusted, { purpose, now }) : undefined;
  return fault === undefined ? undefined : `${fault.message}; issue it anew by the CA in ${ca.path} (${ca.flag})`;
}

/** A server and an agent of one installation: each must trust the other. */
async function checkPair(server: CertificateSet, agent: CertificateSet, findings: Findings): Promise<void> {
  const held = async (shown: CertificateSet, trusting: CertificateSet) => {
    const [certs, cas] = await Promise.all([
      certificatesOf(shown.part, shown.cert),
      certificatesOf(trusting.part, trusting.ca),
    ]);
    const [leaf, ...presented] = certs ?? [];
    if (leaf === undefined || cas === undefined || cas.length === 0) return;
    const now = systemClock.timeOfDay();
    if (leaf.validTo < now) return;
    const fault = chainFault(leaf, presented, cas, { purpose: shown.purpose, now });
    const subject = `${shown.part.label}: ${shown.cert.flag}`;
    const where = `${trusting.ca.path} (${trusting.ca.flag} of ${trusting.part.label})`;
    if (fault === undefined) findings.ok(subject, `${shown.cert.path} is trusted by ${where}`);
    else findings.fail(subject, `${shown.cert.path} is not trusted by ${where}: it ${fault.message}`);
  };
  await held(server, agent);
  await held(agent, server);
}

function endText({ validTo }: Certificate, now: number): string {
  const days = Math.floor((validTo - now) / dayMs);
  const on = new Date(validTo).toISOString().slice(0, 10);
  return days < 0 ? `expired on ${on}` : `ends in ${days} days, on ${on}`;
}
