import assert from "node:assert/strict";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { leakTest } from "../../tests/support/assert/leak_free.ts";
import { freePort } from "../../tests/support/processes/free_port.ts";
import { until } from "../../tests/support/assert/until.ts";

/** A server that answers everybody, in a process of few descriptors; it wakes itself at SIGHUP, and says what it did. */
const server = `
  import { createServer } from "node:net";
  import { wakeAccept } from ${JSON.stringify(new URL("./accept_wake.ts", import.meta.url).href)};
  const [path, port] = Deno.args;
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.resume();
    socket.write("hi");
  });
  server.on("error", (error) => console.log("error " + error.code));
  const where = path === "" ? { port: Number(port), host: "127.0.0.1" } : { path };
  server.listen({ ...where, backlog: 200 }, () => console.log("listening"));
  Deno.addSignalListener("SIGHUP", () => console.log("woken " + wakeAccept(server)));
`;

/** Whether a new connection gets its answer. */
function answers(where: { port: number } | { path: string }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(where);
    const over = (answered: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answered);
    };
    const timer = setTimeout(() => over(false), 1_000);
    socket.on("data", () => over(true));
    socket.on("error", () => over(false));
  });
}

for (const kind of ["TCP", "Unix"] as const) {
  leakTest(`a ${kind} listener that ran out of descriptors is deaf, and accepts again once it is woken`, async () => {
    const folder = await Deno.makeTempDir({ prefix: "konnectivity-" });
    const port = kind === "TCP" ? await freePort() : 0;
    const path = kind === "TCP" ? "" : `${folder}/listener.sock`;
    const where = kind === "TCP" ? { port } : { path };
    await Deno.writeTextFile(`${folder}/server.ts`, server);
    const config = fileURLToPath(new URL("../../deno.json", import.meta.url));
    const child = new Deno.Command("sh", {
      // The shell's place is taken: the runtime raises its limit no higher than this.
      args: [
        "-c",
        'ulimit -n 60; exec "$@"',
        "sh",
        Deno.execPath(),
        ...["run", "-A", "-q", "--no-check", "--config", config, `${folder}/server.ts`, path, String(port)],
      ],
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    let log = "";
    const reading = child.stdout.pipeTo(
      new WritableStream({
        write(bytes) {
          log += new TextDecoder().decode(bytes);
        },
      }),
    );
    try {
      await until("it listens", () => log.includes("listening"));
      const flood = await Promise.all(Array.from({ length: 80 }, () => {
        const socket = connect(where);
        socket.on("error", () => {});
        socket.resume();
        return new Promise<typeof socket>((resolve) => socket.once("connect", () => resolve(socket)));
      }));
      assert.equal(await answers(where), false, "no descriptor is left");
      const closed = flood.map((socket) => new Promise((resolve) => socket.once("close", resolve)));
      for (const socket of flood) socket.destroy();
      await Promise.all(closed);
      if (!log.includes("error EMFILE")) {
        assert.equal(
          await answers(where),
          false,
          "the runtime goes on by itself: wakeAccept is not needed any more, and may go",
        );
      }
      // Its own ends of the connections may not be closed when it is woken for the first time.
      await until("it answers again once it is woken", () => {
        child.kill("SIGHUP");
        return answers(where);
      }, 30_000);
      assert.doesNotMatch(log, /woken false/);
    } finally {
      child.kill("SIGKILL");
      await child.status;
      await reading;
      await Deno.remove(folder, { recursive: true });
    }
  });
}
