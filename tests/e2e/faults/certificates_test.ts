import assert from "node:assert/strict";
import { connect as connectTls } from "node:tls";
import { issueLeaf } from "../../../src/programs/certs/issue.ts";
import { until } from "../../support/assert/until.ts";
import { makeTestCertificates, testCertificates } from "../../support/in_process/test_certificates.ts";
import { faultTest, FaultWorld } from "./fault_world.ts";

/** Files are read every 5 s: each state of a set is there for longer than from one reading to the next, or for less. */
const readingMs = 5_000;
const bad = /the last good ones stay/;

/** A pair of a server's certificate and key, in PEM. */
interface Pair {
  readonly certPem: string;
  readonly keyPem: string;
}

async function freshPair(): Promise<Pair> {
  const { ca } = await testCertificates();
  return await issueLeaf(ca, {
    commonName: "renewed",
    usages: ["server", "client"],
    names: ["localhost"],
    addresses: ["127.0.0.1"],
    keyKind: "p-256",
  });
}

/** The name in the certificate that a port shows to somebody who connects now. */
async function shownAt(port: number): Promise<string> {
  const { ca, client } = await testCertificates();
  return await new Promise((resolve, reject) => {
    const socket = connectTls({ host: "127.0.0.1", port, ca: ca.certPem, cert: client.certPem, key: client.keyPem });
    socket.once("error", reject);
    socket.once("secureConnect", () => {
      const { subject } = socket.getPeerCertificate();
      socket.once("close", () => resolve(String(subject.CN)));
      socket.destroy();
    });
  });
}

/** Writes a set in every state that it can be found in: the key first, cut short, of others, gone, and whole in the end. */
async function replaceBadly(cert: string, key: string, fresh: Pair, world: FaultWorld): Promise<void> {
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

faultTest("a server's certificate and key are replaced in the wrong order, in halves and by others'", async () => {
  // Each request is a connection, with a handshake of its own.
  await using world = await FaultWorld.start("connect-tls");
  const { server, port, certificates: { serverCert, serverKey } } = world.launched;
  const fresh = await freshPair();
  await replaceBadly(serverCert, serverKey, fresh, world);
  // The last state is a key that is none beside the new certificate.
  await until("it is read and refused", () => bad.test(server.program.log), 6 * readingMs);
  assert.equal(await shownAt(port), "test server");
  await Deno.writeTextFile(serverKey, fresh.keyPem);
  for (const each of [port, server.agentPort]) {
    await until("the new certificate is shown", async () => await shownAt(each) === "renewed");
  }
  await world.end();
});

faultTest("an agent's certificate and key are replaced in the wrong order, in halves and by others'", async () => {
  await using world = await FaultWorld.start("grpc-uds");
  const { launched } = world;
  const { certificates: { clientCert, clientKey } } = launched;
  const fresh = await freshPair();
  await replaceBadly(clientCert, clientKey, fresh, world);
  await until("it is read and refused", () => bad.test(launched.agent.program.log), 6 * readingMs);
  await Deno.writeTextFile(clientKey, fresh.keyPem);
  await until("the agent has read it", () => launched.agent.program.log.includes("certificates changed on disk"));
  const over = world.excuse("the server is killed, so that its agent links anew");
  await launched.kill(launched.server);
  await launched.startServer();
  await launched.ready();
  over();
  await world.end();
});
