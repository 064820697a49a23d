import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { connect } from "../../src/client/mod.ts";
import { startTopology } from "./topology.ts";

/** A destination that answers only once its client has ended, with what it was sent, letter by letter reversed. */
export async function lateDestination(): Promise<{ address: string } & AsyncDisposable> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let text = "";
    socket.setEncoding("utf8");
    socket.on("data", (piece: string) => text += piece);
    socket.on("end", () => socket.end([...text].reverse().join("")));
    socket.on("error", () => socket.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    address: `127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.close();
      await once(server, "close");
    },
  };
}

/** An answer to the client's end arrives whole, and both sides end. */
export async function answersEnd(kind: "grpc-uds" | "connect-uds", link: "auto" | "grpc"): Promise<void> {
  await using destination = await lateDestination();
  await using topology = await startTopology(kind, { agentFlags: [`--link-protocol=${link}`] });
  await using proxy = await connect({
    mode: kind === "grpc-uds" ? "grpc" : "http-connect",
    transport: "unix",
    path: topology.uds,
  });
  await using tunnel = await proxy.dial(destination.address);
  const question = "abcdefghij".repeat(10_000);
  const writer = tunnel.writable.getWriter();
  await writer.write(new TextEncoder().encode(question));
  await writer.close();
  const answer = await new Response(tunnel.readable).text();
  assert.equal(answer, [...question].reverse().join(""));
  await tunnel.closed;
}
