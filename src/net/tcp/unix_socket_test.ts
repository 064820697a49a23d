import assert from "node:assert/strict";
import { connect, createServer, type Server, type Socket } from "node:net";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { listen, ListenError, stopListening } from "./listen.ts";

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "konnectivity-" });
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

/** A listener of another program whose backlog is full; it takes nobody. */
const busy = `
import socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(0)
waiting = []
while True:
    peer = socket.socket(socket.AF_UNIX)
    peer.setblocking(False)
    try:
        peer.connect(sys.argv[1])
    except BlockingIOError:
        break
    waiting.append(peer)
print("full", flush=True)
sys.stdin.read()
`;

leakTest("a socket whose backlog is full is served by somebody, and is not taken", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/busy.sock`;
    const stranger = new Deno.Command("python3", { args: ["-c", busy, path], stdin: "piped", stdout: "piped" }).spawn();
    const reader = stranger.stdout.getReader();
    assert.match(new TextDecoder().decode((await reader.read()).value), /full/);
    const server = createServer();
    await assert.rejects(
      listen(server, { kind: "unix", path, deleteExisting: true }),
      (error) => error instanceof ListenError && /another process serves this socket/.test(error.message),
    );
    assert.ok((await Deno.lstat(path)).isSocket);
    await reader.cancel();
    await stranger.stdin.close();
    await stranger.status;
    await listen(server, { kind: "unix", path, deleteExisting: true });
    await closed(server);
  });
});

leakTest("the file has its mode as soon as it is there, whatever the umask is", async () => {
  await inFolder(async (folder) => {
    const before = Deno.umask(0);
    try {
      const seen = new Set<number>();
      const server = createServer();
      // Nothing of this program can run between the two, and other programs get no further than the umask lets them.
      const listening = listen(server, { kind: "unix", path: `${folder}/s`, deleteExisting: false });
      seen.add(((await Deno.lstat(`${folder}/s`).catch(() => undefined))?.mode ?? 0o770) & 0o777);
      await listening;
      seen.add(((await Deno.lstat(`${folder}/s`)).mode ?? 0) & 0o777);
      assert.deepEqual(seen, new Set([0o770]));
      assert.equal(Deno.umask(0), 0, "the umask is what it was");
      await closed(server);
    } finally {
      Deno.umask(before);
    }
  });
});

leakTest("a file that another server has put in its place stays when the first one ends", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/s`;
    const first = createServer((socket) => socket.end("first"));
    const address = await listen(first, { kind: "unix", path, deleteExisting: false });
    await Deno.remove(path);
    const second = createServer((socket) => socket.end("second"));
    const next = await listen(second, { kind: "unix", path, deleteExisting: false });
    await new Promise<void>((resolve) => stopListening(first, address, resolve));
    const said = await new Promise<string>((resolve, reject) => {
      const socket: Socket = connect(path);
      socket.on("data", (bytes) => resolve(String(bytes))).on("error", reject);
      socket.on("end", () => socket.end());
    });
    assert.equal(said, "second");
    await new Promise<void>((resolve) => stopListening(second, next, resolve));
    // Its socket stays until the process ends, in any other way the runtime would have removed the second one's file.
    Reflect.get(first, "_handle").close();
  });
});
