import assert from "node:assert/strict";
import { Agent, request } from "node:http";
import { connect, type Socket } from "node:net";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { Launched } from "../support/processes/launched.ts";
import { launcherOf } from "../support/processes/processes.ts";

/** Asks on the connection that the agent keeps: a process without descriptors accepts no other. */
function ask(agent: Agent, port: number, path: string): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    request({ agent, host: "127.0.0.1", port, path }, (answer) => {
      let body = "";
      answer.setEncoding("utf8").on("data", (text: string) => void (body += text));
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body }));
    }).on("error", reject).end();
  });
}

/** Sets how many files a process may have open from now on; those that it has stay open. */
async function limitFiles(pid: number, soft: number): Promise<void> {
  const { success } = await new Deno.Command("prlimit", { args: ["--pid", String(pid), `--nofile=${soft}:`] }).output();
  assert.ok(success, "prlimit");
}

for (const role of ["server", "agent"] as const) {
  leakTest(`${role}: /healthz says that no descriptor is left, for as long as that is so`, async () => {
    await using launched = await Launched.start("grpc-uds");
    const { healthPort, program } = launched[role];
    const kept = new Agent({ keepAlive: true, maxSockets: 1 });
    try {
      assert.deepEqual(await ask(kept, healthPort, "/healthz"), { status: 200, body: "ok" });
      await limitFiles(program.pid, 8);
      const answer = await ask(kept, healthPort, "/healthz");
      assert.equal(answer.status, 500, answer.body);
      assert.match(answer.body, /^no file descriptor is left of \d+: no connection can be accepted$/);
      await limitFiles(program.pid, 1024);
      await until("it is healthy again", async () => (await ask(kept, healthPort, "/healthz")).status === 200);
    } finally {
      kept.destroy();
    }
  });
}

leakTest("HTTP CONNECT: a client for whom no descriptor is left is told so with 503", async () => {
  const serverCommand = ["sh", "-c", 'ulimit -n 80; exec "$@"', "sh", ...await launcherOf("server")];
  await using launched = await Launched.start("connect-uds", { serverCommand });
  const silent: Socket[] = [];
  try {
    let answer = "";
    for (let clients = 0; clients < 80 && answer === ""; clients++) {
      const socket = connect(launched.uds);
      socket.on("error", () => {});
      silent.push(socket);
      const answered = Promise.withResolvers<string>();
      socket.once("data", (bytes) => answered.resolve(bytes.toString("latin1"))).once(
        "close",
        () => answered.resolve(""),
      );
      socket.write("CONNECT destination.invalid:80 HTTP/1.1\r\nHost: destination.invalid:80\r\n\r\n");
      const text = await answered.promise;
      if (/^HTTP\/1\.1 503 /.test(text)) answer = text;
      // A client whose dial failed is gone; one that says nothing keeps its descriptor.
      const idle = connect(launched.uds);
      idle.on("error", () => {});
      silent.push(idle);
      await new Promise<void>((resolve) => void idle.once("connect", resolve).once("close", () => resolve()));
    }
    assert.match(answer, /no file descriptors left for clients/);
  } finally {
    await Promise.all(silent.map((socket) => {
      const closed = new Promise<void>((resolve) => socket.closed ? resolve() : socket.once("close", () => resolve()));
      socket.destroy();
      return closed;
    }));
  }
});
