import { HeaderDecoder, HpackError } from "../../../../src/h2/hpack/header_decoder.ts";
import { encodeHeaders } from "../../../../src/h2/hpack/header_encoder.ts";
import { fieldBytes, type HeaderField } from "../../../../src/h2/hpack/header_table.ts";
import type { FuzzTarget } from "../target.ts";
import { attempt, holds } from "./texts.ts";

const tableBytes = 256;
const listBytes = 2048;

/** The blocks of an input: each with its length before it. */
function* blocksOf(input: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < input.length;) {
    const length = input[at] ?? 0;
    yield input.subarray(at + 1, at + 1 + length);
    at += 1 + length;
  }
}

function block(hex: string): Uint8Array {
  const bytes = Uint8Array.fromHex(hex);
  return Uint8Array.of(bytes.length, ...bytes);
}

function sizeOf(fields: readonly HeaderField[]): number {
  return fields.reduce((sum, [name, value]) => sum + fieldBytes(name, value), 0);
}

const request = "828684418cf1e3c2e5f23a6ba0ab90f4ff";

/** Header blocks of one connection, with what the encoder makes of them read again. */
export const hpack: FuzzTarget = {
  name: "hpack",
  modules: ["src/h2/hpack/"],
  seeds: [
    block(request),
    Uint8Array.of(...block("8286844101" + "61"), ...block("828684be5886a8eb10649cbf")),
    block("400a637573746f6d2d6b65790d637573746f6d2d686561646572"),
    block("100870617373776f726406736563726574"),
    Uint8Array.of(...block("203fe10182"), ...block("88c1611d")),
    Uint8Array.of(...block(request), ...block("828684be5886a8eb10649cbf"), ...block("3f0020" + "82")),
  ],
  run(input) {
    const decoder = new HeaderDecoder(tableBytes, listBytes);
    for (const bytes of blocksOf(input)) {
      const decoded = attempt(() => decoder.decode(bytes), HpackError);
      if (decoded instanceof Error) return;
      const { fields, tooLarge } = decoded;
      holds(sizeOf(fields) <= listBytes, () => "a list is within its limit");
      if (tooLarge) continue;
      const again = new HeaderDecoder(tableBytes, listBytes).decode(encodeHeaders(fields, input.length % 2 === 0));
      holds(JSON.stringify(again.fields) === JSON.stringify(fields), () => "what is encoded is read again");
    }
  },
};
