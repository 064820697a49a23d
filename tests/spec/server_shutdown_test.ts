import assert from "node:assert/strict";
import { PacketType } from "../../gen/client/client_pb.ts";
import { helpText } from "../../src/flags/help.ts";
import { serverProgram } from "../../src/programs/server/server_flags.ts";
import type { RunningServer } from "../../src/programs/server/run.ts";
import { ProxyError } from "../../src/client/mod.ts";
import { type Listener, sendConnect } from "../conformance/raw_connect.ts";
import { RawCall } from "../conformance/raw_grpc.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { type FrontendKind, health, Stack, type StackServer } from "../support/in_process/stack.ts";
import { until } from "../support/assert/until.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

const protocols: readonly FrontendKind[] = ["grpc-uds", "connect-uds"];

/** Longer than any test waits. */
const longGraceMs = 3_600_000;

function frontendOf(stack: Stack, server: StackServer): Listener {
  return { ...server, certificates: stack.certificates };
}

function agentPortOf(stack: Stack, { agentPort }: StackServer): Listener {
  return { uds: "", port: agentPort, certificates: stack.certificates };
}

/** Whether something accepts connections there. */
async function accepts(hostname: string, port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname, port })).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return false;
    throw error;
  }
}

async function notReady(running: RunningServer): Promise<boolean> {
  const { status, body } = await health(running, "/readyz");
  return status === 500 && body === "proxy server is shutting down";
}

for (const kind of protocols) {
  leakTest(
    `[server W30] ${kind}: a server that stops is not ready first, tells its agents, refuses what is new, and lets tunnels run on`,
    async () => {
      await using stack = await Stack.open();
      const { server, agent } = await stack.pair(kind);
      const client = await stack.client(server);
      await using echo = await echoDestination();
      const tunnel = await client.dial(echo.address);
      const writer = tunnel.writable.getWriter();
      const reader = tunnel.readable.getReader();
      const exchange = async (text: string) => {
        await writer.write(bytes(text));
        return new TextDecoder().decode((await reader.read()).value);
      };
      assert.equal(await exchange("before"), "before");
      // Watches as an agent of the original; while it is there, dials may go to it.
      await using witness = await RawCall.open(agentPortOf(stack, server), "/AgentService/Connect", {
        agentid: "witness",
      });
      await witness.headers();
      let stopped = false;
      const stop = server.running.stop(longGraceMs).then(() => stopped = true);
      await until("it says that it is not ready", () => notReady(server.running));
      assert.deepEqual(await health(server.running, "/healthz"), { status: 200, body: "ok" });
      await witness.next(PacketType.DRAIN);
      assert.equal(await exchange("during"), "during");
      await assert.rejects(client.dial(echo.address), ProxyError);
      await until("clients find the frontend closed", async () => {
        try {
          (await Deno.connect({ transport: "unix", path: server.uds })).close();
          return false;
        } catch {
          return true;
        }
      });
      await using late = await RawCall.open(agentPortOf(stack, server), "/AgentService/Connect", { agentid: "late" });
      const { status, message } = await late.ended;
      assert.deepEqual([status, message], [14, "server is shutting down"]);
      assert.equal(await exchange("still"), "still");
      assert.equal(stopped, false);
      await tunnel.close();
      await stop;
      await until("the agent has no server", () => agent.agent.serverConnections === 0);
    },
  );

  leakTest(
    `[server W29] [server W30] [pains a-18] ${kind}: without a grace, or after it, open tunnels are ended and told why`,
    async () => {
      for (const graceMs of [0, 50]) {
        await using stack = await Stack.open();
        const { server } = await stack.pair(kind);
        await using echo = await echoDestination();
        if (kind === "grpc-uds") {
          await using call = await RawCall.open(frontendOf(stack, server));
          const id = await call.dial(echo.address);
          assert.equal(await call.exchange(id, "hello"), "hello");
          // This client neither closes nor ends its call.
          await server.running.stop(graceMs);
          const { payload } = await call.next(PacketType.CLOSE_RSP);
          assert.equal(payload.case === "closeResponse" && payload.value.error, "proxy server is shutting down");
        } else {
          await using socket = await sendConnect(frontendOf(stack, server), echo.address, "hello");
          await until("the tunnel works", () => socket.text.endsWith("hello"));
          await server.running.stop(graceMs);
          assert.match(await socket.rest(), /hello$/);
        }
        await until("the destination is left", () => echo.open === 0);
      }
    },
  );
}

leakTest(
  "[server W29] client streams without a tunnel, and agents that stay, do not keep a server that stops",
  async () => {
    await using stack = await Stack.open();
    const server = await stack.server("grpc-uds");
    await using idle = await RawCall.open(frontendOf(stack, server));
    await using agent = await RawCall.open(agentPortOf(stack, server), "/AgentService/Connect", { agentid: "stays" });
    await agent.headers();
    await server.running.stop(0);
    await idle.ended;
    await agent.ended;
  },
);

leakTest("[server W28] what a server says to listen on takes connections from then on", async () => {
  for (const kind of ["grpc-tls", "connect-tls"] as const) {
    await using stack = await Stack.open();
    const { running, port, agentPort } = await stack.server(kind);
    const open = [port, agentPort, running.health.port, running.admin.port].map((each) => accepts("127.0.0.1", each));
    assert.deepEqual(await Promise.all(open), [true, true, true, true]);
  }
});

leakTest(
  "[server W28] a port for peers that is taken is an error that names it, and nothing is left open",
  async () => {
    await using stack = await Stack.open();
    await using taken = await echoDestination();
    for (const kind of ["grpc-tls", "connect-tls"] as const) {
      for (const listener of ["server", "agent"]) {
        await assert.rejects(
          stack.server(kind, `--${listener}-port=${taken.port}`),
          (error: Error) => error.message.startsWith(`cannot listen on 127.0.0.1:${taken.port}: `),
          `${kind} ${listener}`,
        );
      }
    }
  },
);

leakTest("[server W27] a Unix socket that cannot be bound is an error that names it, over both protocols", async () => {
  await using stack = await Stack.open();
  const regular = `${stack.dir}/regular`;
  await Deno.writeTextFile(regular, "precious");
  const served = `${stack.dir}/served.sock`;
  using listener = Deno.listen({ transport: "unix", path: served });
  const refusals: readonly (readonly [string, RegExp])[] = [
    [`${stack.dir}/missing/x.sock`, /x\.sock: /],
    [regular, /regular: the file exists and is not a socket/],
    [served, /served\.sock: another process serves this socket/],
  ];
  for (const kind of protocols) {
    for (const [path, message] of refusals) {
      await assert.rejects(stack.server(kind, `--uds-name=${path}`), (error: Error) => {
        return error.message.startsWith("cannot listen on ") && message.test(error.message);
      });
    }
  }
  assert.equal(await Deno.readTextFile(regular), "precious");
  assert.equal((await Deno.lstat(served)).isSocket, true);
  assert.ok(listener.addr);
});

leakTest(
  "[server 2.3] a socket file that nobody serves is replaced, unless that is forbidden; its mode is 0770, and it goes with the server",
  async () => {
    await using stack = await Stack.open();
    const path = `${stack.dir}/stale.sock`;
    // A listener that is killed leaves its file behind.
    const code = `require("net").createServer().listen(${
      JSON.stringify(path)
    }, () => process.kill(process.pid, "SIGKILL"))`;
    await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-config", code.replace("require", "process.getBuiltinModule")],
    })
      .output();
    assert.equal((await Deno.lstat(path)).isSocket, true);
    await assert.rejects(
      stack.server("grpc-uds", `--uds-name=${path}`, "--delete-existing-uds-file=false"),
      (error: Error) => error.message.startsWith(`cannot listen on ${path}: `),
    );
    const server = await stack.server("connect-uds", `--uds-name=${path}`);
    assert.equal(((await Deno.lstat(path)).mode ?? 0) & 0o777, 0o770);
    await server.running[Symbol.asyncDispose]();
    await assert.rejects(Deno.lstat(path), Deno.errors.NotFound);
  },
);

leakTest(
  "[server W25] the admin port is on loopback by default, and everywhere only where that was asked for, as help says",
  async () => {
    await using stack = await Stack.open();
    const byDefault = await stack.server("grpc-uds");
    const asked = await stack.server("grpc-uds", "--admin-bind-address=");
    assert.equal(await accepts("127.0.0.1", byDefault.running.admin.port), true);
    assert.equal(await accepts("127.0.0.2", byDefault.running.admin.port), false);
    assert.equal(await accepts("127.0.0.2", asked.running.admin.port), true);
    assert.match(helpText(serverProgram).replaceAll(/\s+/g, " "), /address of the admin port; empty means all/);
  },
);
