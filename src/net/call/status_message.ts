const encoder = new TextEncoder();
const decoder = new TextDecoder();
const percent = 0x25;

/**
 * A status's text as `grpc-message` carries it: printable ASCII but the percent sign stands for itself, and everything else
 * is percent-encoded UTF-8. More than that may be encoded, but some clients (grpc-js) leave it so.
 */
export function encodeStatusMessage(message: string): string {
  let encoded = "";
  for (const byte of encoder.encode(message)) {
    if (byte >= 0x20 && byte <= 0x7e && byte !== percent) encoded += String.fromCharCode(byte);
    else encoded += `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}

/** The text of `grpc-message`. What is no percent-encoding stays as it is: gRPC forbids to fail for it. */
export function decodeStatusMessage(encoded: string): string {
  const bytes = encoder.encode(encoded);
  let end = 0;
  for (let at = 0; at < bytes.length; at++, end++) {
    const byte = bytes[at] ?? 0;
    const digits = byte === percent ? String.fromCharCode(...bytes.subarray(at + 1, at + 3)) : "";
    const isEncoded = /^[0-9A-Fa-f]{2}$/.test(digits);
    bytes[end] = isEncoded ? Number.parseInt(digits, 16) : byte;
    if (isEncoded) at += 2;
  }
  return decoder.decode(bytes.subarray(0, end));
}
