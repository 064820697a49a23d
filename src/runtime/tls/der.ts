/** One DER element (X.690): its tag, and where its content begins and ends in {@link DerElement.bytes}. */
export interface DerElement {
  readonly bytes: Uint8Array;
  readonly tag: number;
  readonly start: number;
  readonly body: number;
  readonly end: number;
}

/** Bytes that are no DER. */
export class DerError extends Error {
  override readonly name = "DerError";
  readonly code = "bad-der";
}

/** Tags of the elements that certificates are made of. */
export const derTag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** How deep elements may be nested; certificates need less than ten. */
const maxDepth = 30;

/**
 * Reads the element at a position. Only DER's one form of each length is taken.
 * @param limit where the element has to end at the latest
 * @throws {DerError}
 */
export function derAt(bytes: Uint8Array, start: number, limit: number = bytes.length): DerElement {
  const tag = bytes[start];
  const first = bytes[start + 1];
  if (tag === undefined || first === undefined || start + 2 > limit) throw new DerError(`no element at byte ${start}`);
  // Tags of several bytes occur in no certificate.
  if ((tag & 0x1f) === 0x1f) throw new DerError(`tag of several bytes at byte ${start}`);
  let length = first;
  let body = start + 2;
  if (first >= 0x80) {
    const count = first & 0x7f;
    if (count === 0 || count > 3 || body + count > limit) throw new DerError(`bad length at byte ${start}`);
    length = 0;
    for (let at = 0; at < count; at++) length = length * 256 + (bytes[body + at] ?? 0);
    if (length < 0x80 || length < 256 ** (count - 1)) throw new DerError(`length is not minimal at byte ${start}`);
    body += count;
  }
  if (body + length > limit) throw new DerError(`element at byte ${start} is longer than what holds it`);
  return { bytes, tag, start, body, end: body + length };
}

/** The elements within one. @throws {DerError} also where bytes are left over */
export function derChildren(parent: DerElement): DerElement[] {
  const children: DerElement[] = [];
  for (let at = parent.body; at < parent.end;) {
    const child = derAt(parent.bytes, at, parent.end);
    children.push(child);
    at = child.end;
  }
  return children;
}

/** The content of an element. */
export function derBody({ bytes, body, end }: DerElement): Uint8Array {
  return bytes.subarray(body, end);
}

/** The element whole, tag and length included. */
export function derWhole({ bytes, start, end }: DerElement): Uint8Array {
  return bytes.subarray(start, end);
}

/** An object identifier in dotted form. @throws {DerError} */
export function derOid(element: DerElement): string {
  const body = derBody(element);
  if (element.tag !== derTag.oid || body.length === 0) {
    throw new DerError(`no object identifier at byte ${element.start}`);
  }
  // Else it would read as a shorter one, or as one of which there are other forms.
  if ((body.at(-1) ?? 0) >= 0x80) throw new DerError(`object identifier is cut off at byte ${element.start}`);
  if (body.some((byte, at) => byte === 0x80 && (body[at - 1] ?? 0) < 0x80)) {
    throw new DerError(`object identifier is not minimal at byte ${element.start}`);
  }
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of body) {
    arc = arc * 128 + (byte & 0x7f);
    if (!Number.isSafeInteger(arc)) throw new DerError(`object identifier is too large at byte ${element.start}`);
    if (byte >= 0x80) continue;
    if (arcs.length === 0) {
      const first = Math.min(2, Math.floor(arc / 40));
      arcs.push(first, arc - first * 40);
    } else arcs.push(arc);
    arc = 0;
  }
  return arcs.join(".");
}

/** Checks an element and all within it for what DER demands of them. @throws {DerError} */
export function checkDer(element: DerElement, depth: number = 0): void {
  if (depth > maxDepth) throw new DerError(`elements within elements, ${maxDepth} deep`);
  const body = derBody(element);
  const wrong = (what: string) => new DerError(`${what} at byte ${element.start}`);
  switch (element.tag) {
    case derTag.boolean:
      if (body.length !== 1 || (body[0] !== 0 && body[0] !== 0xff)) throw wrong("no DER boolean");
      return;
    case derTag.integer:
      // Serial numbers that are not minimal are common, and the runtime takes them.
      if (body.length === 0) throw wrong("empty integer");
      return;
    case derTag.oid:
      derOid(element);
      return;
    case derTag.bitString:
      if ((body[0] ?? 8) > 7) throw wrong("no DER bit string");
      return;
    case derTag.utcTime:
      if (!isTime(body, 12)) throw wrong("time is not of the form YYMMDDHHMMSSZ");
      return;
    case derTag.generalizedTime:
      if (!isTime(body, 14)) throw wrong("time is not of the form YYYYMMDDHHMMSSZ");
      return;
    default:
      if ((element.tag & 0x20) !== 0) { for (const child of derChildren(element)) checkDer(child, depth + 1); }
  }
}

/** So many digits and a Z. */
function isTime(body: Uint8Array, digits: number): boolean {
  const isDigit = (byte: number) => byte >= 0x30 && byte <= 0x39;
  return body.length === digits + 1 && body.subarray(0, digits).every(isDigit) && body[digits] === 0x5a;
}
