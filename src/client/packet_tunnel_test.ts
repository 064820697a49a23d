import assert from "node:assert/strict";
import { Code, ConnectError } from "@connectrpc/connect";
import { type PacketPair, packetPair, PacketRecorder } from "../../tests/support/memory/packet_pair.ts";
import type { ByteStreamHandler } from "../streams/byte_stream.ts";
import { connectId } from "../wire/connect_id.ts";
import {
  closeDial,
  closeResponse,
  closeWrite,
  dialed,
  dialFailed,
  drain,
  type Packet,
  packetTypeName,
} from "../wire/packet.ts";
import { PacketError } from "../wire/packet_error.ts";
import { PacketTunnel } from "./packet_tunnel.ts";
import { ProxyError } from "./proxy_error.ts";

const random = 0x7fff_ffff_ffff_ffffn;

/** A tunnel on a stream in memory, and what it told. */
class Scene implements ByteStreamHandler {
  readonly pair: PacketPair = packetPair();
  readonly proxy = new PacketRecorder(({ type }: Packet) => packetTypeName(type));
  readonly tunnel: PacketTunnel;
  dialled: { error: ProxyError | undefined } | undefined;
  streamFailure: Error | undefined;
  text = "";
  ended = false;
  drains = 0;
  closed: { error: Error | undefined } | undefined;

  constructor() {
    this.tunnel = new PacketTunnel(this.pair.near, { protocol: "tcp", address: "host:1" }, random, {
      onDialed: (error) => {
        assert.equal(this.dialled, undefined);
        this.dialled = { error };
      },
      onStreamFailed: (error) => this.streamFailure = error,
    });
    this.pair.far.start(this.proxy);
    this.tunnel.dial();
    this.pair.settle();
  }

  /** A scene whose dial was answered with connection 7 and whose bytes come here. */
  static open(): Scene {
    const scene = new Scene();
    scene.say(dialed(random, 7));
    scene.tunnel.start(scene);
    scene.pair.settle();
    return scene;
  }

  /** Lets the proxy send packets, all of them before any is delivered. */
  say(...packets: Packet[]): void {
    for (const packet of packets) this.pair.far.sendPacket(packet);
    this.pair.settle();
  }

  data(id: number | bigint, text: string): void {
    this.pair.far.sendData(id, new TextEncoder().encode(text));
    this.pair.settle();
  }

  onData(bytes: Uint8Array): void {
    this.text += new TextDecoder().decode(bytes);
  }

  onDrain(): void {
    this.drains++;
  }

  onEnd(): void {
    this.ended = true;
  }

  onClose(error: Error | undefined): void {
    assert.equal(this.closed, undefined);
    this.closed = { error };
  }
}

function code(error: Error | undefined): string | undefined {
  return error instanceof ProxyError ? error.code : error?.message;
}

Deno.test("[client 1.7-1] a dial sends the address as it is and opens on the proxy's answer", () => {
  const scene = new Scene();
  const [request] = scene.proxy.packets;
  assert.deepEqual(request?.payload.value && { ...request.payload.value, $typeName: "", $unknown: "" }, {
    $typeName: "",
    $unknown: "",
    protocol: "tcp",
    address: "host:1",
    random,
    traceparent: "",
  });
  assert.equal(scene.tunnel.state, "dialing");
  scene.say(dialed(random, 7));
  assert.deepEqual(scene.dialled, { error: undefined });
  assert.equal(scene.tunnel.state, "open");
});

Deno.test("[client 1.7-2] DATA right behind the answer is kept until somebody reads", () => {
  const scene = new Scene();
  scene.pair.far.sendPacket(dialed(random, 7));
  scene.pair.far.sendData(7, new TextEncoder().encode("early "));
  scene.pair.near.resume();
  scene.pair.settle();
  scene.pair.near.resume();
  scene.data(7, "bird");
  scene.tunnel.start(scene);
  scene.pair.settle();
  assert.equal(scene.text, "early bird");
});

Deno.test("an end that came before anybody reads is told after the bytes before it", () => {
  const scene = new Scene();
  scene.say(dialed(random, 7));
  scene.pair.near.resume();
  scene.data(7, "all");
  scene.say(closeResponse(7));
  scene.tunnel.start(scene);
  assert.deepEqual([scene.text, scene.ended, scene.closed], ["all", true, { error: undefined }]);
});

Deno.test("[client 1.7-10] an answer with an error is `endpoint` with the agent's text, and the stream ends", () => {
  const scene = new Scene();
  scene.say(dialFailed(random, "dial tcp: no"));
  assert.equal(code(scene.dialled?.error), "endpoint");
  assert.equal(scene.dialled?.error?.message, "dial tcp: no");
  assert.ok(scene.proxy.ended);
});

Deno.test("a missing agent is told apart from the destination's failure", () => {
  const scene = new Scene();
  scene.say(dialFailed(random, "No agent available"));
  assert.equal(code(scene.dialled?.error), "no-agent");
});

Deno.test("[client 1.7-11] DIAL_CLS is `dial-closed`", () => {
  const scene = new Scene();
  scene.say(closeDial(random));
  assert.equal(code(scene.dialled?.error), "dial-closed");
});

Deno.test("[client 1.7-9] giving up sends DIAL_CLS before the stream ends, and fails the dial with the reason", () => {
  const scene = new Scene();
  const reason = new ProxyError("cancelled", "no more");
  scene.tunnel.giveUp(reason);
  scene.pair.settle();
  assert.deepEqual(scene.proxy.log, ["DIAL_REQ", "DIAL_CLS"]);
  assert.ok(scene.proxy.ended);
  assert.equal(scene.dialled?.error, reason);
});

Deno.test("an answer that comes after the dial was given up opens nothing", () => {
  const scene = new Scene();
  scene.tunnel.giveUp(new ProxyError("cancelled", "no more"));
  scene.say(dialed(random, 7));
  assert.equal(scene.tunnel.state, "closed");
});

Deno.test("giving up an open tunnel does nothing", () => {
  const scene = Scene.open();
  scene.tunnel.giveUp(new ProxyError("cancelled", "no more"));
  scene.pair.settle();
  assert.equal(scene.tunnel.state, "open");
  assert.deepEqual(scene.proxy.log, ["DIAL_REQ"]);
});

Deno.test("an answer for another dial, or without a connection id, is a protocol error, and the dial is taken back", () => {
  for (const answer of [dialed(5n, 7), dialed(random, 0)]) {
    const scene = new Scene();
    scene.say(answer);
    assert.equal(code(scene.dialled?.error), "protocol-error");
    assert.deepEqual(scene.proxy.log, ["DIAL_REQ", "DIAL_CLS"]);
  }
});

Deno.test("a DIAL_CLS for another dial is ignored", () => {
  const scene = new Scene();
  scene.say(closeDial(5n));
  assert.equal(scene.dialled, undefined);
});

Deno.test("connection ids beyond 53 bits and below zero work", () => {
  for (const id of [2n ** 62n + 1n, -3n]) {
    const scene = new Scene();
    scene.say(dialed(random, connectId(id)));
    scene.tunnel.start(scene);
    scene.data(connectId(id), "hi");
    scene.tunnel.write(new Uint8Array(3));
    scene.pair.settle();
    assert.equal(scene.text, "hi");
    assert.deepEqual(scene.proxy.log, ["DIAL_REQ", `DATA ${id} 3`]);
  }
});

Deno.test("a large write goes out as packets of at most 64 KiB, an empty one as none", () => {
  const scene = Scene.open();
  scene.tunnel.write(new Uint8Array(150_000));
  scene.tunnel.write(new Uint8Array(0));
  scene.pair.settle();
  assert.deepEqual(scene.proxy.log.slice(1), ["DATA 7 65536", "DATA 7 65536", "DATA 7 18928"]);
});

Deno.test("a full stream is told to the writer, and so is that it takes bytes again", () => {
  const scene = Scene.open();
  scene.pair.near.highWaterBytes = 10;
  assert.equal(scene.tunnel.write(new Uint8Array(20)), false);
  scene.pair.settle();
  assert.equal(scene.drains, 1);
});

Deno.test("packets that mean nothing, repeated answers and packets without payload change nothing", () => {
  const scene = Scene.open();
  const empty = (type: number) => ({ ...drain(), type, payload: { case: undefined } }) as Packet;
  scene.say(dialed(random, 9), dialFailed(random, "late"), drain(), closeResponse(9, "other"));
  scene.say(...[0, 1, 2, 3, 4, 5, 6, 99].map(empty));
  scene.data(7, "still here");
  assert.equal(scene.text, "still here");
  assert.equal(scene.closed, undefined);
});

Deno.test("[client 1.3] DATA for an unknown connection is answered with one CLOSE_REQ, and the tunnel lives", () => {
  const scene = Scene.open();
  scene.data(8, "not mine");
  scene.data(8, "not mine either");
  scene.data(0, "nobody's");
  scene.data(7, "mine");
  assert.deepEqual(scene.proxy.log, ["DIAL_REQ", "CLOSE_REQ"]);
  assert.equal(scene.text, "mine");
});

Deno.test("a proxy that floods with unknown connections loses the stream", () => {
  const scene = Scene.open();
  for (let id = 100; id < 200; id++) scene.data(id, "x");
  assert.equal(code(scene.closed?.error), "protocol-error");
  assert.equal(scene.proxy.log.filter((entry) => entry === "CLOSE_REQ").length, 16);
});

Deno.test("[client 1.7-5] close asks, drops what still comes, and ends on the proxy's answer", () => {
  const scene = Scene.open();
  scene.tunnel.close();
  scene.pair.settle();
  assert.deepEqual(scene.proxy.log, ["DIAL_REQ", "CLOSE_REQ"]);
  assert.equal(scene.closed, undefined);
  scene.data(7, "too late");
  scene.tunnel.write(new Uint8Array(5));
  scene.tunnel.close();
  scene.say(closeResponse(7));
  assert.deepEqual([scene.text, scene.ended, scene.closed], ["", true, { error: undefined }]);
  assert.deepEqual(scene.proxy.log, ["DIAL_REQ", "CLOSE_REQ"]);
  assert.ok(scene.proxy.ended);
});

Deno.test("close reads on, so that the answer comes, though reading was paused", () => {
  const scene = Scene.open();
  scene.tunnel.pause();
  scene.tunnel.close();
  scene.pair.settle();
  scene.say(closeResponse(7));
  assert.deepEqual(scene.closed, { error: undefined });
});

Deno.test("an end with an error is an error with the proxy's text, not an end", () => {
  const scene = Scene.open();
  scene.say(closeResponse(7, "read: connection reset by peer"));
  assert.equal(scene.ended, false);
  assert.equal(code(scene.closed?.error), "connection-broken");
  assert.equal(scene.closed?.error?.message, "read: connection reset by peer");
});

Deno.test("a DIAL_CLS for the open tunnel breaks it", () => {
  const scene = Scene.open();
  scene.say(closeDial(random));
  assert.equal(code(scene.closed?.error), "connection-broken");
});

Deno.test("[client 1.4] a lost stream is `tunnel-closed`, for the dial as for the open tunnel", () => {
  const dialing = new Scene();
  dialing.pair.far.lose(new ConnectError("gone", Code.Unavailable));
  assert.equal(code(dialing.dialled?.error), "tunnel-closed");
  assert.ok(dialing.streamFailure instanceof ConnectError);
  const open = Scene.open();
  open.pair.far.lose(new ConnectError("gone", Code.Unavailable));
  assert.equal(open.ended, false);
  assert.equal(code(open.closed?.error), "tunnel-closed");
});

Deno.test("a stream that ends in order, but without a CLOSE_RSP, is no end of the tunnel", () => {
  const scene = Scene.open();
  scene.pair.far.end();
  scene.pair.settle();
  assert.equal(scene.ended, false);
  assert.equal(code(scene.closed?.error), "tunnel-closed");
});

Deno.test("a call that is refused before its dial is answered is `proxy-refused`", () => {
  const scene = new Scene();
  scene.pair.far.lose(new ConnectError("no", Code.PermissionDenied));
  assert.equal(code(scene.dialled?.error), "proxy-refused");
});

Deno.test("a proxy that breaks the framing is a protocol error", () => {
  const scene = Scene.open();
  const cause = new PacketError("malformed", "bad bytes");
  scene.pair.far.lose(new ConnectError("wrapped", Code.Unavailable, undefined, undefined, cause));
  assert.equal(code(scene.closed?.error), "protocol-error");
});

Deno.test("destroy drops the stream at once", () => {
  const scene = Scene.open();
  scene.tunnel.destroy();
  scene.tunnel.destroy();
  assert.equal(scene.proxy.end?.kind, "failed");
  assert.equal(code(scene.closed?.error), "tunnel-closed");
});

Deno.test("DATA behind the end of the destination's direction is dropped: its reader has seen the end", () => {
  const scene = Scene.open();
  scene.data(7, "before");
  scene.say(closeWrite(connectId(7n)));
  scene.data(7, "behind");
  assert.deepEqual([scene.text, scene.ended, scene.closed], ["before", true, undefined]);
  scene.say(closeResponse(7));
  assert.deepEqual(scene.closed, { error: undefined });
});
