import assert from "node:assert/strict";
import { leakTest } from "../support/assert/leak_free.ts";
import { takeFixedPorts } from "../support/processes/fixed_ports.ts";
import { chapters, document, follow, refusesBeyond, root, ways } from "./getting_started.ts";

const titles = [
  "gRPC client with mutual TLS",
  "gRPC client over a Unix socket",
  "HTTP CONNECT with mutual TLS, with the test client or curl",
];

Deno.test(`${document} has the original's topologies, and the README leads there`, async () => {
  assert.ok((await Deno.readTextFile(`${root}README.md`)).includes(`(${document})`));
  assert.deepEqual(chapters.map(({ title }) => title), titles);
  const clients = chapters.map(({ commands }) => commands.filter((command) => /^curl |-test-client /.test(command)));
  assert.deepEqual(clients.map(({ length }) => length), [1, 1, 2]);
});

for (const chapter of chapters) {
  leakTest(
    `${document}, "${chapter.title}": the commands work word for word, with the launchers`,
    () => follow(chapter, ways["with the launchers"], true),
  );
}

leakTest(`${document}, "${titles[0]}": the commands work word for word, under the named permission sets`, async () => {
  const [chapter] = chapters;
  assert.ok(chapter !== undefined);
  await follow(chapter, ways["under the named permission sets"], true);
});

leakTest("the permission set of server refuses what it does not name: --agent-port=18091", async () => {
  const told = /cannot listen on :18091: the permission sandbox does not allow it, run with/;
  await refusesBeyond("server", "--agent-port=18091", told, true);
});

leakTest("a port that a stranger holds fails a test of the document with a message that names it", async () => {
  using stranger = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = stranger.addr;
  await assert.rejects(takeFixedPorts([port]), new RegExp(`port ${port} is in use by another program`));
});
