import assert from "node:assert/strict";
import { AgentLab, metric, stuckDestination } from "../../../tests/support/in_process/agent_lab.ts";
import {
  bannerDestination,
  bannerText,
  collectDestination,
  echoDestination,
  patternBytes,
  refusingAddress,
  sourceDestination,
} from "../../../tests/support/in_process/destinations.ts";
import { startFakeServer } from "../../../tests/support/fakes/fake_proxy_server.ts";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { closeDial, closeRequest, dialRequest } from "../../wire/packet.ts";

const text = (value: string) => new TextEncoder().encode(value);

for (const direct of [false, true]) {
  const over = direct ? "over a direct link" : "over gRPC";

  leakTest(
    `[agent 9-1] ServeData_HTTP: a request goes through and its answer comes back, then the server's close, ${over}`,
    async () => {
      await using lab = await AgentLab.open();
      await using server = await startFakeServer({ direct });
      const destination = Deno.serve(
        { hostname: "127.0.0.1", port: 0, onListen: () => {} },
        () => new Response("Hello, client", { headers: { connection: "close" } }),
      );
      const { agent } = await lab.agent(server.port);
      const link = await server.link();
      assert.deepEqual(link.call.metadata("agentid"), ["agent-1"]);
      assert.deepEqual(link.call.metadata("agentidentifiers"), [""]);
      const id = await link.dial(`127.0.0.1:${destination.addr.port}`, 111n);
      assert.equal(id, 1);
      link.stream.sendData(1, text("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
      await until("the close is told", () => link.log.includes("CLOSE_RSP 1"));
      assert.match(link.text(1), /Hello, client$/);
      await until("the connection is gone", () => agent.endpointConnections === 0);
      await destination.shutdown();
    },
  );

  leakTest(
    `[agent 9-43] a refused dial says \`connection refused\`, an unknown name \`no such host\`, and both count as unknown, ${over}`,
    async () => {
      await using lab = await AgentLab.open();
      await using server = await startFakeServer({ direct });
      const running = await lab.agent(server.port);
      const link = await server.link();
      const refused = await refusingAddress();
      assert.equal(await link.dial(refused, 1n), `dial tcp ${refused}: connect: connection refused`);
      assert.equal(await metric(running, 'endpoint_dial_failure_total{reason="unknown"}'), "1");
      assert.match(String(await link.dial("nohost.invalid:80", 2n)), /no such host$|server misbehaving$/);
      assert.equal(await metric(running, 'endpoint_dial_failure_total{reason="unknown"}'), "2");
      assert.equal(running.agent.endpointConnections, 0);
    },
  );

  leakTest(
    `[agent weak 33] only TCP is dialled: the node's sockets and datagrams are out of reach, ${over}`,
    async () => {
      await using lab = await AgentLab.open();
      await using server = await startFakeServer({ direct });
      await lab.agent(server.port);
      const link = await server.link();
      let random = 0n;
      for (const network of ["unix", "udp", "unixpacket", "bogus", ""]) {
        const answer = await link.dial("/run/containerd.sock", ++random, network);
        assert.equal(answer, `dial ${network}: unknown network ${network}`);
      }
      await using echo = await echoDestination();
      assert.equal(await link.dial(echo.address, ++random, "tcp4"), Number(random));
      assert.match(String(await link.dial("127.0.0.1", ++random)), /missing port in address/);
      assert.match(String(await link.dial(echo.address, ++random, "tcp6")), /^dial tcp6/);
    },
  );

  leakTest(`[agent weak 7] 3.75 MiB and a close right behind them arrive whole, ten times, ${over}`, async () => {
    await using lab = await AgentLab.open();
    await using server = await startFakeServer({ direct });
    const { agent } = await lab.agent(server.port);
    const link = await server.link();
    await using destination = await collectDestination();
    const size = 3.75 * 1024 * 1024;
    for (let round = 1; round <= 10; round++) {
      const id = await link.dial(destination.address, BigInt(round));
      assert.equal(id, round);
      link.stream.sendData(id, text(`${size}\n`));
      const bytes = patternBytes(size);
      for (let at = 0; at < size; at += 65_536) link.stream.sendData(id, bytes.subarray(at, at + 65_536));
      link.stream.sendPacket(closeRequest(id));
      await until(`upload ${round} has ended`, () => destination.collected.length === round);
      assert.deepEqual(destination.collected.at(-1), { bytes: size, intact: true });
      // The answer and the destination's end come over different sockets: either may be first.
      await until(`close ${round} is answered`, () => link.log.includes(`CLOSE_RSP ${round}`));
    }
    await until("nothing is left", () => agent.endpointConnections === 0);
  });

  leakTest(`5 MiB of a destination that ends arrive whole before the close is told, ${over}`, async () => {
    await using lab = await AgentLab.open();
    await using server = await startFakeServer({ direct });
    await lab.agent(server.port);
    const link = await server.link();
    await using source = await sourceDestination();
    const size = 5 * 1024 * 1024;
    assert.equal(await link.dial(source.address, 1n), 1);
    link.stream.sendData(1, text(`${size}\n`));
    await until("the close is told", () => link.log.includes("CLOSE_RSP 1"));
    assert.equal(link.bytesOf(1), size);
    assert.equal(link.log.at(-1), "CLOSE_RSP 1");
  });

  leakTest(`a destination that speaks first is heard, behind the answer to the dial, ${over}`, async () => {
    await using lab = await AgentLab.open();
    await using server = await startFakeServer({ direct });
    await lab.agent(server.port);
    const link = await server.link();
    await using banner = await bannerDestination();
    await link.dial(banner.address, 1n);
    await until("the banner has come", () => link.text(1) === bannerText);
    assert.equal(link.log[0], "DIAL_RSP 1");
  });

  leakTest(`with a server of ours, a destination that does not read delays nobody, ${over}`, async () => {
    await using lab = await AgentLab.open();
    await using server = await startFakeServer({ direct, features: "window, half-close" });
    await lab.agent(server.port);
    const link = await server.link();
    const common = "resolved-address,window,window-return";
    const able = direct ? `half-close,${common}` : `half-close,ping,${common}`;
    assert.deepEqual(link.call.metadata("konnectivity-features"), [able]);
    await using stuck = await stuckDestination();
    await using echo = await echoDestination();
    assert.equal(await link.dial(stuck.address, 1n), 1);
    assert.equal(await link.dial(echo.address, 2n), 2);
    for (let sent = 0; sent < 256 * 1024; sent += 65_536) link.stream.sendData(1, new Uint8Array(65_536));
    link.stream.sendData(2, text("neighbour"));
    await until("the neighbour is served", () => link.text(2) === "neighbour");
  });

  leakTest(
    `[agent weak 11] a close behind a link that the server does not read holds up nothing else, ${over}`,
    async () => {
      await using lab = await AgentLab.open();
      await using server = await startFakeServer({ direct });
      await lab.agent(server.port);
      const link = await server.link();
      await using source = await sourceDestination();
      await using echo = await echoDestination();
      const size = 32 * 1024 * 1024;
      assert.equal(await link.dial(source.address, 1n), 1);
      assert.equal(await link.dial(echo.address, 2n), 2);
      link.stream.pause();
      link.stream.sendData(1, text(`${size}\n`));
      await new Promise((resolve) => setTimeout(resolve, 50));
      link.stream.sendPacket(closeRequest(1));
      link.stream.sendData(2, text("neighbour"));
      link.stream.resume();
      await until("the neighbour is served", () => link.text(2) === "neighbour");
      await until("the close is answered", () => link.log.includes("CLOSE_RSP 1"));
    },
  );

  leakTest(`[agent 9-44] 50 dials and requests that are given up leave no connection, ${over}`, async () => {
    await using lab = await AgentLab.open();
    await using server = await startFakeServer({ direct });
    const { agent } = await lab.agent(server.port);
    const link = await server.link();
    await using echo = await echoDestination();
    for (let random = 1n; random <= 25n; random++) {
      link.stream.sendPacket(dialRequest({ protocol: "tcp", address: echo.address }, random));
      link.stream.sendPacket(closeDial(random));
    }
    for (let random = 26n; random <= 50n; random++) {
      const id = await link.dial(echo.address, random);
      link.stream.sendData(Number(id), text("x"));
      link.stream.sendPacket(closeRequest(Number(id)));
    }
    await until("nothing is left", () => agent.endpointConnections === 0 && agent.pendingDials === 0);
    await until("the destination knows it too", () => echo.open === 0);
  });

  leakTest(
    `[agent weak 5] [pains a-15] a server that goes away takes its connections with it, and no other server's, ${over}`,
    async () => {
      await using lab = await AgentLab.open();
      const one = await startFakeServer({ direct, serverId: "one" });
      await using two = await startFakeServer({ direct, serverId: "two" });
      const agentOne = await lab.agent(one.port);
      const agentTwo = await lab.agent(two.port);
      await using stuck = await stuckDestination();
      const linkOne = await one.link();
      const linkTwo = await two.link();
      await linkOne.dial(stuck.address, 1n);
      await linkTwo.dial(stuck.address, 1n);
      for (let sent = 0; sent < 16 * 1024 * 1024; sent += 65_536) linkOne.stream.sendData(1, new Uint8Array(65_536));
      await one.close();
      await until("its connections are gone", () => agentOne.agent.endpointConnections === 0);
      stuck.read();
      await until("the destination sees it", () => stuck.open === 1);
      assert.equal(agentTwo.agent.endpointConnections, 1);
    },
  );

  leakTest(`packets and bytes of links are counted by type and direction, ${over}`, async () => {
    await using lab = await AgentLab.open();
    await using server = await startFakeServer({ direct });
    const running = await lab.agent(server.port);
    const link = await server.link();
    await using echo = await echoDestination();
    await link.dial(echo.address, 1n);
    link.stream.sendData(1, text("12345"));
    await until("the echo has come", () => link.bytesOf(1) === 5);
    link.stream.sendPacket(closeRequest(1));
    await until("the close is answered", () => link.log.includes("CLOSE_RSP 1"));
    const packets = (segment: string, type: string) =>
      metric(running, `stream_packets_total{packet_type="${type}",segment="${segment}"}`);
    assert.equal(await packets("to_agent", "DIAL_REQ"), "1");
    assert.equal(await packets("to_agent", "DATA"), "1");
    assert.equal(await packets("to_agent", "CLOSE_REQ"), "1");
    assert.equal(await packets("from_agent", "DIAL_RSP"), "1");
    assert.equal(await packets("from_agent", "DATA"), "1");
    assert.equal(await packets("from_agent", "CLOSE_RSP"), "1");
  });
}
