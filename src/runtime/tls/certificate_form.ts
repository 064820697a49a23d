import { derAt, derBody, derChildren, type DerElement, DerError, derOid, derTag, derWhole } from "./der.ts";

/** Longer elements are none to the runtime's library. */
const longest = 0xfffe;

/** Tags of a certificate's own fields. */
const versionTag = 0xa0;
const extensionsTag = 0xa3;

/** Extensions whose value the library reads when it reads the certificate, each as one element of this tag. */
const readExtensions: ReadonlyMap<string, number> = new Map([
  ["2.5.29.17", derTag.sequence],
  ["2.5.29.19", derTag.sequence],
  ["2.5.29.30", derTag.sequence],
  ["2.5.29.31", derTag.sequence],
  ["2.5.29.37", derTag.sequence],
  ["1.3.6.1.4.1.11129.2.4.2", derTag.octetString],
]);

/**
 * Why the runtime's library (rustls-webpki) cannot read a certificate of version 3; undefined where it can.
 *
 * Seen in 2.9.6: node:tls as a client passes over everything that goes wrong when the library reads a server's
 * certificate, the proof that the server has its key among it. Whoever takes another's certificate, which is public, and
 * changes it where no signature covers it (an unused bit of the signature, an element behind it) would be that server
 * with a key of his own. `server_identity_test.ts` shows it, and fails once the runtime asks for the proof. So this is as
 * strict as the library at least; what it says is no more than how a certificate has to be written (RFC 5280, X.690).
 *
 * @param der without what der.ts refuses
 * @throws {DerError}
 */
export function formFault(der: Uint8Array): string | undefined {
  if (der.length > longest) return `is longer than ${longest} bytes`;
  const outer = derAt(der, 0);
  if (outer.tag !== derTag.sequence || outer.end !== der.length) return "is no sequence, or bytes follow it";
  const parts = derChildren(outer);
  const [signed, algorithm, signature] = parts;
  if (signed === undefined || !tagsAre(parts, derTag.sequence, derTag.sequence, derTag.bitString)) {
    return "has other elements than what is signed, an algorithm and a signature";
  }
  if (!isOctets(signature)) return "has a signature with unused bits";
  const fields = derChildren(signed);
  const [version, , inner, , , , key] = fields;
  const { integer, sequence } = derTag;
  const extensions = fields.length > 7 ? [extensionsTag] : [];
  if (!tagsAre(fields, versionTag, integer, sequence, sequence, sequence, sequence, sequence, ...extensions)) {
    return "has other fields than those of version 3, or unique identifiers";
  }
  if (!same(derWhole(required(algorithm)), derWhole(required(inner)))) return "names two algorithms for its signature";
  if (derBody(required(version)).toHex() !== "020102") return "has a version that is not written as 3 is";
  const keyParts = derChildren(required(key));
  if (!tagsAre(keyParts, derTag.sequence, derTag.bitString) || !isOctets(keyParts[1])) {
    return "has a key in no sound form";
  }
  return extensionsFault(fields[7]);
}

function extensionsFault(extensions: DerElement | undefined): string | undefined {
  if (extensions === undefined) return undefined;
  const list = derChildren(extensions);
  if (!tagsAre(list, derTag.sequence)) return "has extensions in no sequence";
  for (const extension of derChildren(required(list[0]))) {
    const parts = derChildren(extension);
    const { oid, boolean, octetString } = derTag;
    if (
      extension.tag !== derTag.sequence ||
      !(tagsAre(parts, oid, octetString) || tagsAre(parts, oid, boolean, octetString))
    ) {
      return "has an extension of other elements than a name and a value";
    }
    const name = derOid(required(parts[0]));
    const tag = readExtensions.get(name);
    if (tag === undefined) continue;
    const value = required(parts.at(-1));
    const content = derAt(value.bytes, value.body, value.end);
    if (content.tag !== tag || content.end !== value.end) {
      return `has the extension ${name} with a value of no sound form`;
    }
  }
  return undefined;
}

function tagsAre(elements: readonly DerElement[], ...tags: number[]): boolean {
  return elements.length === tags.length && elements.every(({ tag }, at) => tag === tags[at]);
}

/** A bit string that is made of whole octets. */
function isOctets(element: DerElement | undefined): boolean {
  return element !== undefined && derBody(element)[0] === 0;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

function required(element: DerElement | undefined): DerElement {
  if (element === undefined) throw new DerError("an element is missing");
  return element;
}
