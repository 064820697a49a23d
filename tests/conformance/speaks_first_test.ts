import assert from "node:assert/strict";
import { PacketType } from "../../gen/client/client_pb.ts";
import { bannerText } from "../support/in_process/destinations.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { established, sendConnect } from "./raw_connect.ts";
import { dialRequest, RawCall } from "./raw_grpc.ts";
import { assertNoTunnelLeft, frontendKinds, sharedTopology } from "./topology.ts";

const rounds = 25;

for (const kind of frontendKinds) {
  const topologyOf = sharedTopology(kind);

  if (kind.startsWith("connect")) {
    leakTest(`[server W1] ${kind}: the 200 precedes the first bytes of a destination that speaks first`, async () => {
      const topology = topologyOf();
      await Promise.all(Array.from({ length: rounds }, async () => {
        await using socket = await sendConnect(topology, topology.destinations.banner.address);
        const expected = established + bannerText;
        assert.equal(await socket.take(expected.length), expected);
        socket.write("thank you");
        assert.equal(await socket.take(9), "thank you");
      }));
      await assertNoTunnelLeft(topology);
    });

    leakTest(`[client 0.2] ${kind}: bytes right behind the CONNECT reach the destination`, async () => {
      const topology = topologyOf();
      await using socket = await sendConnect(topology, topology.destinations.echo.address, "early bird");
      const expected = `${established}early bird`;
      assert.equal(await socket.take(expected.length), expected);
    });

    leakTest(`[server W4] ${kind}: an answer that begins after the client's end arrives whole`, async () => {
      const topology = topologyOf();
      const size = 1024 * 1024;
      await using socket = await sendConnect(topology, topology.destinations.source.address);
      assert.equal(await socket.take(established.length), established);
      socket.write(`${size}\n`);
      socket.end();
      assert.equal((await socket.rest()).length, size);
      await assertNoTunnelLeft(topology);
    });

    leakTest(`[server 13.8-12] ${kind}: a refused destination is a 502 that says so`, async () => {
      const topology = topologyOf();
      await using socket = await sendConnect(topology, topology.destinations.refused);
      const answer = await socket.rest();
      assert.match(answer, /^HTTP\/1\.1 502 Bad Gateway\r\n/);
      assert.match(answer, /connect: connection refused$/);
    });
  } else {
    leakTest(`[server 5.3] ${kind}: DIAL_RSP precedes the first DATA of a destination that speaks first`, async () => {
      const topology = topologyOf();
      await Promise.all(Array.from({ length: rounds }, async (_, round) => {
        await using call = await RawCall.open(topology);
        const random = 2n ** 62n + BigInt(round);
        call.send(dialRequest(topology.destinations.banner.address, random));
        const { payload } = await call.next(PacketType.DIAL_RSP);
        assert(payload.case === "dialResponse");
        assert.equal(payload.value.random, random);
        assert.equal(payload.value.error, "");
        const id = payload.value.connectID;
        assert.equal(await call.bytes(id, bannerText.length), bannerText);
        assert.equal(await call.exchange(id, "thank you"), "thank you");
      }));
      await assertNoTunnelLeft(topology);
    });
  }
}
