import { type ClientHello, readClientHello } from "../../../../src/runtime/tls/client_hello.ts";
import { checkDer, derAt, derChildren, DerError, derOid, derTag } from "../../../../src/runtime/tls/der.ts";
import type { FuzzTarget } from "../target.ts";
import { attempt, holds } from "./texts.ts";

function hello(extensions: string): Uint8Array {
  const body = `0303${"11".repeat(32)}00000213010100` + (extensions.length / 2).toString(16).padStart(4, "0") +
    extensions;
  const message = `01${(body.length / 2).toString(16).padStart(6, "0")}${body}`;
  return Uint8Array.fromHex(`160301${(message.length / 2).toString(16).padStart(4, "0")}${message}`);
}

function shown(read: ClientHello | number | "other"): string {
  return typeof read === "object" ? JSON.stringify([[...read.versions], read.offersKey, read.offersTicket]) : `${read}`;
}

/** The first message of TLS clients. */
export const clientHellos: FuzzTarget = {
  name: "client-hellos",
  modules: ["src/runtime/tls/client_hello.ts"],
  seeds: [hello("002b0003020304"), hello("002b00050403040303" + "00290000"), hello("00230004aabbccdd"), hello("")],
  dictionary: [Uint8Array.of(22, 3, 1), Uint8Array.of(0, 43), Uint8Array.of(0, 41), Uint8Array.of(0, 35)],
  run(input) {
    const whole = readClientHello(input);
    if (typeof whole === "number") {
      holds(whole > input.length, () => `${whole} bytes are asked for, ${input.length} came`);
    }
    // Byte by byte, as the listener reads on: what it asks for is what there is not yet.
    let cut: ClientHello | number | "other" = 0;
    for (let length = 0, rounds = 0; typeof cut === "number" && cut <= input.length; rounds++) {
      length = Math.max(cut, length + 1);
      cut = readClientHello(input.subarray(0, length));
      if (length >= input.length || rounds > 64) break;
    }
    if (typeof cut !== "number") {
      holds(shown(cut) === shown(whole), () => `${shown(whole)}, and in pieces ${shown(cut)}`);
    }
  },
};

/** DER, of which certificates are made. */
export const der: FuzzTarget = {
  name: "der",
  modules: ["src/runtime/tls/der.ts"],
  seeds: [
    Uint8Array.fromHex("300d06092a864886f70d01010b0500"),
    Uint8Array.fromHex("301e170d3236303130313030303030305a170d3237303130313030303030305a"),
    Uint8Array.fromHex("30818002010101010003020080040100"),
    Uint8Array.fromHex("3012180f32303530303130313030303030305a"),
  ],
  largeBytes: 256 * 1024,
  run(input) {
    attempt(() => checkDer(derAt(input, 0)), DerError);
    attempt(() => {
      for (const child of derChildren(derAt(input, 0))) {
        holds(child.end <= input.length && child.body <= child.end, () => "an element is within what holds it");
        if (child.tag === derTag.oid) holds(/^\d+(\.\d+)+$/.test(derOid(child)), () => derOid(child));
      }
    }, DerError);
  },
};
