import { issueLeaf } from "../../../src/programs/certs/issue.ts";
import { makeTestCertificates, testCertificates } from "../../support/in_process/test_certificates.ts";
import type { FaultWorld } from "./fault_world.ts";

/** Files are read every 5 s: each state of a set is there for longer than from one reading to the next, or for less. */
export const readingMs = 5_000;
export const bad = /the last good ones stay/;

/** A pair of a server's certificate and key, in PEM. */
interface Pair {
  readonly certPem: string;
  readonly keyPem: string;
}

export async function freshPair(): Promise<Pair> {
  const { ca } = await testCertificates();
  return await issueLeaf(ca, {
    commonName: "renewed",
    usages: ["server", "client"],
    names: ["localhost"],
    addresses: ["127.0.0.1"],
    keyKind: "p-256",
  });
}

/** Writes a set in every state that it can be found in: the key first, cut short, of others, gone, and whole in the end. */
export async function replaceBadly(cert: string, key: string, fresh: Pair, world: FaultWorld): Promise<void> {
  const stranger = (await makeTestCertificates("another CA")).server;
  const half = (text: string) => text.slice(0, text.length / 2);
  const states: readonly (() => Promise<unknown>)[] = [
    () => Deno.writeTextFile(key, fresh.keyPem),
    () => Deno.writeTextFile(cert, half(fresh.certPem)),
    () => Deno.writeTextFile(cert, ""),
    () => Deno.writeTextFile(cert, stranger.certPem),
    () => Deno.remove(cert),
    () => Deno.writeTextFile(key, half(fresh.keyPem)),
    () => Deno.writeTextFile(key, stranger.certPem),
    () => Deno.writeTextFile(cert, fresh.certPem),
  ];
  for (const write of states) {
    await write();
    await world.goesOn();
  }
}
