import ipaddr from "ipaddr.js";
import type { CertificateNames } from "../../wire/peer_identity.ts";
import { derAt, derBody, derChildren, type DerElement, DerError, derTag } from "./der.ts";

/** Object identifiers as hexadecimal: in dotted form each would cost a microsecond. */
const oids = { commonName: "550403", organization: "55040a", subjectAltName: "551d11" } as const;

/** Tags of the kinds of GeneralName (RFC 5280 section 4.2.1.6) that are read. */
const generalName = { email: 0x81, dns: 0x82, uri: 0x86, address: 0x87 } as const;

/** Tags of the certificate's own fields. */
const versionTag = 0xa0;
const extensionsTag = 0xa3;

/** Kinds of text; the rest are of one octet for each character. */
const utf8String = 0x0c;
const bmpString = 0x1e;

/**
 * Reads the names in a certificate (RFC 5280) that has been verified already. The runtime (2.9.6) writes all alternative
 * names into one text without quotes, where one name that holds a comma reads as two: hence from the certificate itself.
 * `certificate_names_test.ts` shows what the runtime does, and fails once it quotes them.
 * @throws {DerError} where it is no certificate
 */
export function certificateNames(der: Uint8Array): CertificateNames {
  const certificate = derAt(der, 0);
  const [signed] = derChildren(certificate);
  const fields = signed === undefined ? [] : derChildren(signed);
  if (fields[0]?.tag === versionTag) fields.shift();
  const [serial, , , validity, subject, , ...optional] = fields;
  if (serial?.tag !== derTag.integer || validity === undefined || subject === undefined) {
    throw new DerError("certificate lacks its serial number, validity or subject");
  }
  const common: string[] = [];
  const organizations: string[] = [];
  for (const attribute of derChildren(subject).flatMap(derChildren)) {
    const [type, value] = derChildren(attribute);
    if (type === undefined || value === undefined) throw new DerError("subject holds an attribute without a value");
    const oid = derBody(type).toHex();
    if (oid === oids.commonName) common.push(text(value));
    else if (oid === oids.organization) organizations.push(text(value));
  }
  return {
    commonName: common.at(-1) ?? "",
    organizations,
    ...alternativeNames(optional.find(({ tag }) => tag === extensionsTag)),
    serial: derBody(serial).toHex().replace(/^(?:00)+(?=..)/, "").toUpperCase(),
    notAfter: time(derChildren(validity)[1]),
  };
}

function alternativeNames(
  extensions: DerElement | undefined,
): Pick<CertificateNames, "dnsNames" | "addresses" | "uris" | "emails"> {
  const found = { dnsNames: [] as string[], addresses: [] as string[], uris: [] as string[], emails: [] as string[] };
  for (const extension of extensions === undefined ? [] : derChildren(extensions).flatMap(derChildren)) {
    const parts = derChildren(extension);
    const [oid] = parts;
    const value = parts.at(-1);
    if (oid === undefined || derBody(oid).toHex() !== oids.subjectAltName) continue;
    if (value?.tag !== derTag.octetString) throw new DerError("subject alternative names have no value");
    for (const name of derChildren(derAt(value.bytes, value.body, value.end))) {
      const body = derBody(name);
      if (name.tag === generalName.dns) found.dnsNames.push(latin1(body));
      else if (name.tag === generalName.uri) found.uris.push(latin1(body));
      else if (name.tag === generalName.email) found.emails.push(latin1(body));
      else if (name.tag === generalName.address && (body.length === 4 || body.length === 16)) {
        found.addresses.push(ipaddr.fromByteArray([...body]).toString());
      }
    }
  }
  return found;
}

/** A directory string (RFC 5280 section 4.1.2.4). */
function text(element: DerElement): string {
  const body = derBody(element);
  if (element.tag === utf8String) return decoder.decode(body);
  if (element.tag !== bmpString) return latin1(body);
  let result = "";
  for (let at = 0; at + 1 < body.length; at += 2) {
    result += String.fromCharCode((body[at] ?? 0) << 8 | (body[at + 1] ?? 0));
  }
  return result;
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Octet for character: what is no ASCII stays visible and equals no name that an operator writes. */
function latin1(bytes: Uint8Array): string {
  let result = "";
  for (const byte of bytes) result += String.fromCharCode(byte);
  return result;
}

/** UTCTime has two digits for the year, of 1950 to 2049 (RFC 5280 section 4.1.2.5.1). */
function time(element: DerElement | undefined): string {
  const digits = element === undefined ? "" : latin1(derBody(element));
  const full = element?.tag === derTag.generalizedTime ? digits : `${digits < "50" ? "20" : "19"}${digits}`;
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(full);
  if (parts === null) throw new DerError("certificate has no readable end of validity");
  const [, year, month, day, hour, minute, second] = parts;
  return `${year}-${month}-${day}T${hour}:${minute}:${second}Z`;
}
