import assert from "node:assert/strict";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { connect } from "node:net";
import { AgentService } from "../../../gen/agent/agent_pb.ts";
import { clientPreface, frameHeaderBytes } from "../../h2/frames/frame.ts";
import { settingsAck, settingsFrame } from "../../h2/frames/control_frames.ts";
import type { HeaderField } from "../../h2/hpack/header_table.ts";
import { concat, data, headers } from "../../../tests/support/memory/h2_peer.ts";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { open, serverSide, world } from "../../../tests/support/in_process/packet_service_world.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { type GrpcListenerOptions, listenGrpc } from "../http2/grpc_listener.ts";
import { listenGrpcOwn } from "../http2/h2_listener.ts";
import { soundAuthority } from "./request_target.ts";

const target = { method: "POST", scheme: "https", authority: "server:8091", path: "/a.B/C" };

for (const authority of ["localhost", "a.b:80", "10.0.0.1:8091", "[::1]:8091", "host_with_underscore", "x:65535"]) {
  Deno.test(`an authority of ${authority} is handed on as it is`, () => {
    assert.equal(soundAuthority({ ...target, authority }), authority);
  });
}

Deno.test("a socket's path as grpc-go writes it is sound, and makes a URL afterwards", () => {
  const authority = soundAuthority({ ...target, authority: "%2Ftmp%2Fproxy.sock" });
  assert.ok(authority !== undefined && URL.canParse(`https://${authority}`));
});

const unsound: Readonly<Record<string, Partial<typeof target>>> = {
  "a port beyond 65535": { authority: "x:99999" },
  "a port that is none": { authority: "x:y" },
  "a bracket alone": { authority: "[" },
  "a percent sign alone": { authority: "%" },
  "an escape that is none": { authority: "%zz" },
  "a blank": { authority: "a b" },
  "a user": { authority: "a@b" },
  "a path within the authority": { authority: "a/b" },
  "no authority": { authority: "" },
  "a path that names another host": { path: "//[" },
  "a path without a slash": { path: "a" },
  "a path of an asterisk": { path: "*" },
  "no path": { path: "" },
  "a scheme that is none": { scheme: "ht tp" },
  "another scheme": { scheme: "file" },
  "no scheme": { scheme: "" },
  "a method that is no token": { method: "PO ST" },
  "no method": { method: "" },
  "CONNECT": { method: "CONNECT" },
};

for (const [what, part] of Object.entries(unsound)) {
  Deno.test(`no URL is made of ${what}`, () => assert.equal(soundAuthority({ ...target, ...part }), undefined));
}

/** Says a request to a port of HTTP/2, and returns the first HEADERS block of the answer. */
async function ask(socketPath: string, fields: readonly HeaderField[]): Promise<Uint8Array> {
  const socket = connect(socketPath);
  socket.on("error", () => {});
  let said: Uint8Array = new Uint8Array(0);
  socket.on("data", (bytes: Uint8Array) => said = concat(said, bytes));
  socket.write(
    concat(clientPreface, settingsFrame([]), settingsAck(), headers(1, fields), data(1, "0000000000", true)),
  );
  const answer = () => {
    for (let at = 0; at + frameHeaderBytes <= said.length;) {
      const length = ((said[at] ?? 0) << 16) | ((said[at + 1] ?? 0) << 8) | (said[at + 2] ?? 0);
      if (said[at + 3] === 1) return said.subarray(at + frameHeaderBytes, at + frameHeaderBytes + length);
      at += frameHeaderBytes + length;
    }
    return undefined;
  };
  const block = await until("the answer", answer);
  socket.destroy();
  await until("the socket is gone", () => socket.closed);
  return block ?? assert.fail();
}

/** ":status 400" is entry 12 of HPACK's static table. */
const status400 = 0x80 | 12;

const router = connectNodeAdapter({
  routes(routes) {
    routes.service(AgentService, {
      async *connect() {
        yield {};
      },
    });
  },
}) as GrpcListenerOptions["router"];

const routed: readonly HeaderField[] = [
  [":method", "POST"],
  [":path", "/AgentService/Connect"],
  ["content-type", "application/connect+proto"],
];

for (const [name, listen] of Object.entries({ own: listenGrpcOwn, runtime: listenGrpc })) {
  for (const authority of ["x:99999", "x:y", "[", "%"]) {
    leakTest(`${name}: a request to ${authority} is answered with 400 before Connect sees it`, async () => {
      await using at = await world(listen, undefined, { router });
      const connection = await at.connect();
      const neighbour = open(connection);
      await serverSide(at);
      for (const scheme of ["http", "https"]) {
        const block = await ask(
          at.socketPath,
          [...routed, [":scheme", scheme], [":authority", authority]]
            .sort(([a]) => a.startsWith(":") ? -1 : 1) as HeaderField[],
        );
        assert.equal(block[0], status400);
      }
      neighbour.stream.end();
      await until("the neighbour is served", () => at.sides[0]?.ended === true);
      connection.close();
      await connection.closed;
    });
  }
}
