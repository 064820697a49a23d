import assert from "node:assert/strict";
import type { ProxyClient } from "../../src/client/mod.ts";
import { until } from "../support/assert/until.ts";
import { Conversation } from "../support/in_process/conversation.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import type { FrontendKind } from "../support/in_process/stack.ts";
import { Launched } from "../support/processes/launched.ts";

// deno-lint-ignore no-explicit-any -- lines are read as whoever processes the log reads them
type Line = any;

export async function linesOf(...paths: readonly string[]): Promise<Line[]> {
  const texts = await Promise.all(paths.map((path) => Deno.readTextFile(path)));
  return texts.join("").split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

export async function talk(client: ProxyClient, address: string): Promise<void> {
  await using tunnel = await client.dial(address);
  const conversation = new Conversation(tunnel);
  assert.equal(await conversation.ask("hello"), "hello");
}

const dials = 100;

/** Rotated under load, an audit log has every dial and every end, once. */
export async function rotatesUnderLoad(kind: FrontendKind, ...flags: readonly string[]): Promise<void> {
  await using echo = await echoDestination();
  const folder = await Deno.makeTempDir();
  const path = `${folder}/audit.log`;
  const moved: string[] = [];
  try {
    {
      await using launched = await Launched.start(kind, { serverFlags: [...flags, `--audit-log=${path}`] });
      let done = 0;
      let rotating = true;
      const rotate = async () => {
        while (rotating) {
          const before = done;
          await until("dials went on", () => done >= Math.min(dials, before + 20));
          const to = `${path}.${moved.length + 1}`;
          await Deno.rename(path, to);
          moved.push(to);
          launched.server.program.signal("SIGHUP");
          // As logrotate without a delay would find the next file; until then nothing is renamed.
          await until("there is a new file", () => Deno.stat(path).then(() => true, () => false));
        }
      };
      const rotation = rotate();
      await using client = await launched.client();
      const work = async () => {
        while (done < dials) {
          done++;
          await talk(client, echo.address);
        }
      };
      await Promise.all(Array.from({ length: 8 }, work));
      rotating = false;
      await rotation;
    }
    assert.ok(moved.length >= 3, String(moved.length));
    assert.equal(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
    const lines = await linesOf(...moved, path);
    const opened = lines.filter(({ event }) => event === "dial");
    const closed = lines.filter(({ event }) => event === "close");
    assert.equal(opened.length + closed.length, lines.length);
    assert.ok(opened.length >= dials);
    assert.equal(new Set(opened.map(({ id }) => id)).size, opened.length);
    assert.deepEqual(new Set(closed.map(({ id }) => id)), new Set(opened.map(({ id }) => id)));
    assert.equal(closed.length, opened.length);
    for (const { outcome, destination, resolved, client, agent } of opened) {
      assert.deepEqual([outcome, destination], ["connected", echo.address]);
      assert.equal(resolved, echo.address.replace("localhost", "127.0.0.1"));
      assert.equal(client.frontend, kind.startsWith("grpc") ? "grpc" : "http-connect");
      assert.equal(client.name, kind.endsWith("uds") ? "unix" : "test client");
      assert.match(agent.address, /^127\.0\.0\.1:\d+$/);
      assert.equal(agent.certificate.commonName, "test client");
    }
    for (const { bytesToDestination, bytesFromDestination, seconds } of closed) {
      assert.ok(bytesToDestination >= 5 && bytesFromDestination >= 5 && seconds >= 0);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
