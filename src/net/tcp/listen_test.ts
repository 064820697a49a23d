import assert from "node:assert/strict";
import { connect, createServer, type Server } from "node:net";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { listen, type ListenAddress, ListenError, requireFree, stopListening } from "./listen.ts";

const connections = 64;

/** A server that says its name to everybody who connects. */
function named(name: string): Server {
  return createServer((socket) => socket.end(name));
}

function nameOf(address: ListenAddress): Promise<string> {
  return new Promise((resolve, reject) => {
    if (address.kind === "unix") return reject(new Error("not a port"));
    const socket = connect(address.port, address.host);
    let text = "";
    socket.on("data", (bytes) => text += bytes);
    socket.on("error", reject);
    socket.on("close", () => resolve(text));
  });
}

async function names(address: ListenAddress): Promise<Set<string>> {
  return new Set(await Promise.all(Array.from({ length: connections }, () => nameOf(address))));
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

leakTest("servers that share a port are dealt its connections", async () => {
  const [one, two] = [named("one"), named("two")];
  const address = await listen(one, { kind: "tcp", host: "127.0.0.1", port: 0, shared: true });
  await listen(two, address);
  assert.deepEqual(await names(address), new Set(["one", "two"]));
  await new Promise<void>((resolve) => stopListening(one, address, resolve));
  assert.deepEqual(await names(address), new Set(["two"]));
  await new Promise<void>((resolve) => stopListening(two, address, resolve));
  await assert.rejects(nameOf(address), /ECONNREFUSED/);
});

leakTest("a port that somebody listens on is not free to be shared, even by one who shares", async () => {
  for (const shared of [true, false]) {
    const server = named("stranger");
    const address = await listen(server, { kind: "tcp", host: "127.0.0.1", port: 0, shared });
    await assert.rejects(requireFree(address), (error) => error instanceof ListenError && /in use/.test(error.message));
    await closed(server);
    await requireFree(address);
  }
});
