import assert from "node:assert/strict";
import { proxyFailure as failure } from "../../tests/support/assert/proxy_failure.ts";
import { leakTest } from "../../tests/support/assert/leak_free.ts";
import { fakeGrpcProxy, grpcHeaders, rawGrpcProxy } from "../../tests/support/fakes/fake_proxy.ts";
import { closeRequest, closeResponse, dialed, framePacket } from "../wire/packet.ts";

const refusals: readonly [title: string, headers: Record<string, string | number>, code: string][] = [
  ["gRPC status Unimplemented", { ...grpcHeaders, "grpc-status": "12", "grpc-message": "no such" }, "proxy-refused"],
  ["gRPC status PermissionDenied", { ...grpcHeaders, "grpc-status": "7" }, "proxy-refused"],
  ["gRPC status Unavailable", { ...grpcHeaders, "grpc-status": "14" }, "tunnel-closed"],
  // The words come from elsewhere, and gRPC forbids to fail for them.
  [
    "a text that is no percent-encoding",
    { ...grpcHeaders, "grpc-status": "12", "grpc-message": "100% no" },
    "proxy-refused",
  ],
  [
    "details that are no message",
    { ...grpcHeaders, "grpc-status": "12", "grpc-status-details-bin": "////" },
    "proxy-refused",
  ],
  ["HTTP status 404", { ":status": 404 }, "proxy-refused"],
];
for (const [title, headers, code] of refusals) {
  leakTest(`[client 1.7-26] a call that is answered with ${title} fails the dial as ${code}`, async () => {
    await using proxy = await rawGrpcProxy((stream) => {
      stream.respond(headers, { endStream: true });
    });
    await using client = await proxy.connect();
    assert.equal((await failure(client.dial("host:1"))).code, code);
  });
}

const garbage: readonly [title: string, bytes: Uint8Array, end: boolean][] = [
  ["a message that is no packet", Uint8Array.of(0, 0, 0, 0, 3, 0xff, 0xff, 0xff), false],
  ["a compressed message", Uint8Array.of(1, 0, 0, 0, 1, 0), false],
  ["a message of 5 MiB", Uint8Array.of(0, 0, 0x50, 0, 0, 8, 4), false],
  ["a message that is cut off", Uint8Array.of(0, 0, 0, 0, 9, 8, 1), true],
];
for (const [title, bytes, end] of garbage) {
  leakTest(`${title} fails the dial as protocol-error at once, and the client goes on`, async () => {
    let calls = 0;
    await using proxy = await rawGrpcProxy((stream) => {
      stream.respond(grpcHeaders);
      stream.resume();
      if (++calls > 1) return stream.close(8);
      stream.write(bytes);
      if (end) stream.end();
    });
    await using client = await proxy.connect();
    assert.equal((await failure(client.dial("host:1"))).code, "protocol-error");
    assert.equal((await failure(client.dial("host:1"))).code, "tunnel-closed");
  });
}

leakTest("empty messages, empty DATA and packets without payload are ignored", async () => {
  await using proxy = await rawGrpcProxy((stream) => {
    stream.respond(grpcHeaders);
    stream.once("data", (bytes: Uint8Array) => {
      stream.write(Uint8Array.of(0, 0, 0, 0, 0));
      for (const type of [1, 2, 3, 4, 5, 6, 77]) stream.write(Uint8Array.of(0, 0, 0, 0, 2, 8, type));
      stream.write(framePacket(dialed(lastVarint(bytes), 1)));
      // DATA with connection 1 and no bytes, in both spellings.
      stream.write(Uint8Array.of(0, 0, 0, 0, 6, 8, 4, 0x22, 2, 8, 1));
      stream.write(Uint8Array.of(0, 0, 0, 0, 8, 8, 4, 0x22, 4, 8, 1, 0x1a, 0));
      stream.write(Uint8Array.of(0, 0, 0, 0, 10, 8, 4, 0x22, 6, 8, 1, 0x1a, 2, 104, 105));
      stream.write(framePacket(closeRequest(1)));
      stream.end(framePacket(closeResponse(1)));
    });
  });
  await using client = await proxy.connect();
  await using tunnel = await client.dial("host:1");
  assert.equal(await new Response(tunnel.readable).text(), "hi");
  await tunnel.closed;
});

leakTest("a tunnel that ends in an error errors both streams with the proxy's text", async () => {
  await using proxy = await fakeGrpcProxy({
    onDial: (call) => call.answer(1),
    onData: (call) => call.finish(1, "write: broken pipe"),
  });
  await using client = await proxy.connect();
  const tunnel = await client.dial("host:1");
  const writer = tunnel.writable.getWriter();
  const reading = failure(tunnel.readable.getReader().read());
  await writer.write(new Uint8Array(1));
  const error = await reading;
  assert.deepEqual([error.code, error.message], ["connection-broken", "write: broken pipe"]);
  assert.equal(await failure(tunnel.closed), error);
  assert.equal(await failure(writer.write(new Uint8Array(1))), error);
});

/** The last varint of a request: `random`, its last field. */
function lastVarint(bytes: Uint8Array): bigint {
  let start = bytes.length - 1;
  while (start > 0 && (bytes[start - 1] ?? 0) >= 128) start--;
  return bytes.subarray(start).reduceRight((value, byte) => (value << 7n) | BigInt(byte & 127), 0n);
}
