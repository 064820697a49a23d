import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { established, type Listener, sendConnect } from "../conformance/raw_connect.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { metric, Stack } from "../support/in_process/stack.ts";
import {
  makeTestCertificates,
  testCertificates,
  writeTestCertificates,
} from "../support/in_process/test_certificates.ts";
import { until } from "../support/assert/until.ts";

/** The end of a certificate, in seconds since the epoch. */
function endOf(pem: string): number {
  return Date.parse(new X509Certificate(pem).validTo) / 1000;
}

leakTest("[server W24] [agent weak 24] the end of each certificate in use is a metric", async () => {
  await using stack = await Stack.open();
  const { server, agent } = await stack.pair("grpc-tls");
  const certificates = await testCertificates();
  const ends = {
    server: endOf(certificates.server.certPem),
    cluster: endOf(certificates.server.certPem),
    agent: endOf(certificates.client.certPem),
  };
  const shown = async (name: keyof typeof ends) => {
    const program = name === "agent" ? "agent" : "server";
    const series = `${program}_certificate_expiration_timestamp_seconds{certificate="${name}"}`;
    return await metric(name === "agent" ? agent : server.running, series);
  };
  for (const [name, end] of Object.entries(ends)) assert.equal(await shown(name as keyof typeof ends), end, name);
});

leakTest(
  "[server W24] a new authority of clients is taken without a restart: its clients come in, the old one's do not, open tunnels go on",
  async () => {
    await using stack = await Stack.open();
    const { server, agent } = await stack.pair("connect-tls");
    await using echo = await echoDestination();
    const before = { ...server, certificates: await stackCopy(stack) };
    await using open = await sendConnect(before, echo.address, "before");
    const greeting = `${established}before`;
    assert.equal(await open.take(greeting.length), greeting);
    const others = await makeTestCertificates("the next authority");
    // A broken set on the way there changes nothing.
    await Deno.writeTextFile(stack.certificates.caCert, "no certificate");
    await writeTestCertificates(stack.dir, others);
    const after = { ...server, certificates: stack.certificates };
    await until("clients of the new authority come in", async () => await admits(after, echo.address));
    assert.equal(await admits(before, echo.address), false);
    open.write("after");
    assert.equal(await open.take(5), "after");
    // The agent's link is older than the change and goes on as well.
    assert.equal(agent.agent.serverConnections, 1);
    const reconnected = await stack.agent(server.agentPort);
    await until("an agent of the new authority comes in", () => reconnected.agent.ready);
  },
);

/** The certificates of a stack as they are now, in files of their own. */
async function stackCopy(stack: Stack) {
  const folder = `${stack.dir}/before`;
  await Deno.mkdir(folder);
  return await writeTestCertificates(folder, await testCertificates());
}

/** Whether a frontend lets these certificates in, and is trusted by them. */
async function admits(listener: Listener, target: string): Promise<boolean> {
  try {
    await using socket = await sendConnect(listener, target, "hello");
    return await socket.take(established.length) === established;
  } catch {
    return false;
  }
}
