import type { FrontendKind } from "../support/in_process/stack.ts";
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { Conversation } from "../support/in_process/conversation.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import { Launched } from "../support/processes/launched.ts";
import { httpGet } from "../support/processes/processes.ts";

/** A place that a program listens at. */
interface Door {
  readonly name: string;
  readonly open: () => Socket;
}

/** Every listener of both programs. */
function doorsOf({ uds, port, server, agent }: Launched): Door[] {
  const tcp = (name: string, port: number): Door => ({ name, open: () => connect(port, "127.0.0.1") });
  return [
    uds === "" ? tcp("clients", port) : { name: "clients", open: () => connect(uds) },
    tcp("agents", server.agentPort),
    tcp("the server's health", server.healthPort),
    tcp("the server's admin", server.adminPort),
    tcp("the agent's health", agent.healthPort),
    tcp("the agent's admin", agent.adminPort),
  ];
}

/** What a stranger does at a door, once it is through. */
const acts: Readonly<Record<string, (socket: Socket) => void>> = {
  "random bytes": (socket) => void socket.write(crypto.getRandomValues(new Uint8Array(60_000))),
  "a handshake of TLS": (socket) => {
    const secured = connectTls({ socket, rejectUnauthorized: false, ALPNProtocols: ["h2", "konnectivity-link/1"] });
    secured.on("error", () => {});
  },
  "a request of HTTP/1.1": (socket) => void socket.write("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"),
  "a preface of HTTP/2, then noise": (socket) => {
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    socket.write(new Uint8Array(5_000).fill(0xff));
  },
  "a header without an end": (socket) => void socket.write(`GET / HTTP/1.1\r\nx: ${"y".repeat(500_000)}`),
  "an end right behind the beginning": (socket) => void socket.end(),
  "a reset": (socket) => void socket.resetAndDestroy(),
  "not a word": () => {},
};

/** What strangers do at any port ends no process and no tunnel. */
export async function harmsNothing(t: Deno.TestContext, kind: FrontendKind): Promise<void> {
  await using echo = await echoDestination();
  await using launched = await Launched.start(kind);
  await using client = await launched.client();
  const open = new Conversation(await client.dial(echo.address));
  const strangers: { readonly socket: Socket; readonly closed: Promise<unknown> }[] = [];
  for (const [what, act] of Object.entries(acts)) {
    await t.step(what, async () => {
      for (const door of doorsOf(launched)) {
        const socket = door.open();
        // The door is slammed at some of them.
        socket.on("error", () => {});
        socket.resume();
        strangers.push({ socket, closed: new Promise((resolve) => socket.once("close", resolve)) });
        await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
        act(socket);
        assert.equal(await open.ask("still there"), "still there", `${what} at ${door.name}\n${launched.logs}`);
      }
    });
  }
  // With all of them still standing around, everything works.
  for (const { healthPort, program } of [launched.server, launched.agent]) {
    assert.deepEqual(await httpGet(healthPort, "/readyz"), { status: 200, body: "ok" });
    assert.equal(program.status, undefined, launched.logs);
  }
  {
    await using another = await client.dial(echo.address);
    assert.equal(await new Conversation(another).ask("another"), "another");
  }
  assert.equal(await open.ask("still there"), "still there");
  await open.tunnel.close();
  for (const { socket, closed } of strangers) {
    socket.destroy();
    await closed;
  }
}
