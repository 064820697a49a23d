import assert from "node:assert/strict";
import { printable, styleFor } from "../text_style.ts";
import { size, span, type StatusLine } from "./status_line.ts";
import { statusText } from "./status_text.ts";
import { frame, watchStatus } from "./watch_status.ts";

const tree: StatusLine = {
  health: "Degraded",
  name: "proxy-server s",
  text: "up 5s",
  children: [
    { health: "Healthy", name: "agents", text: "1", children: [{ health: "Healthy", name: "ä\x1b[2J", text: "x" }] },
    { health: "Down", name: "certificates", text: "1", action: "renew it" },
  ],
};

Deno.test("a status is a tree of lines, each with its health, and what to do stands below", () => {
  assert.deepEqual(statusText(tree, { colour: false, unicode: true }), [
    "Degraded  proxy-server s   up 5s",
    "Healthy   ├─ agents        1",
    "Healthy   │  └─ ä\\x1b[2J   x",
    "Down      └─ certificates  1",
    "                → renew it",
  ]);
});

Deno.test("where the locale is not of UTF-8 everything is ASCII, peers' texts as well", () => {
  const lines = statusText(tree, { colour: false, unicode: false });
  for (const line of lines) assert.match(line, /^[\x20-\x7e]*$/);
  assert.equal(lines[2], "Healthy   |  `- \\xe4\\x1b[2J  x");
  assert.equal(lines[4], "                -> renew it");
});

Deno.test("colours are for a terminal that wants them", () => {
  const style = (isTerminal: boolean, env: Record<string, string>) => styleFor(isTerminal, (name) => env[name]);
  assert.equal(style(true, {}).colour, true);
  assert.equal(style(true, { NO_COLOR: "" }).colour, true);
  assert.equal(style(true, { NO_COLOR: "1" }).colour, false);
  assert.equal(style(true, { TERM: "dumb" }).colour, false);
  assert.equal(style(false, {}).colour, false);
  assert.equal(style(true, { LANG: "de_DE.UTF-8" }).unicode, true);
  assert.equal(style(true, { LANG: "de_DE.UTF-8", LC_ALL: "C" }).unicode, false);
  assert.equal(style(true, { LC_CTYPE: "C.utf8" }).unicode, true);
  assert.equal(style(true, {}).unicode, false);
  assert.ok(statusText(tree, { colour: true, unicode: true })[3]?.startsWith("\x1b[31mDown\x1b[0m      └─"));
});

Deno.test("what a terminal acts on, or turns around, is written as an escape", () => {
  const unicode = { colour: false, unicode: true };
  assert.equal(printable("a\r\n\u009b1m\u202eb", unicode), "a\\x0d\\x0a\\x9b1m\\u{202e}b");
  assert.equal(printable("日本", unicode), "日本");
  assert.equal(printable("日\u{1f600}", { colour: false, unicode: false }), "\\u{65e5}\\u{1f600}");
});

Deno.test("times and sizes are short", () => {
  assert.deepEqual([0.04, 3.25, 59.6, 61, 3_600, 90_000, 86_400 * 400].map(span), [
    "0s",
    "3.3s",
    "1m",
    "1m 1s",
    "1h",
    "1d 1h",
    "400d",
  ]);
  assert.deepEqual([0, 1_023, 1_024, 1_572_864].map(size), ["0 B", "1023 B", "1.0 KiB", "1.5 MiB"]);
});

Deno.test("a terminal that does not tell its size is taken for a usual one", () => {
  const lines = Array.from({ length: 30 }, () => "x".repeat(100));
  const shown = frame(lines, { columns: 0, rows: 0 }).split("\r\n");
  assert.equal(shown.length, 23);
  assert.equal(shown[1], `${"x".repeat(80)}\x1b[K`);
});

Deno.test("whoever ends a watch is not kept by a terminal that takes nothing", async () => {
  const ended = Promise.withResolvers<void>();
  const never = new Promise<void>(() => {});
  const code = await watchStatus({
    show: () => Promise.resolve({ output: ["x"], code: 2 }),
    ended: ended.promise,
    screen: () => ({ columns: 80, rows: 24 }),
    write: (text) => {
      if (text.includes("x")) ended.resolve();
      return text.includes("x") ? never : Promise.resolve();
    },
  });
  assert.equal(code, 2);
});

Deno.test("a frame replaces the one before: it is no wider and no higher than the terminal", () => {
  const lines = ["\x1b[32mHealthy\x1b[0m abcdef", "2", "3", "4"];
  assert.equal(
    frame(lines, { columns: 9, rows: 4 }),
    "\x1b[H\x1b[32mHealthy\x1b[0m a\x1b[K\r\n2\x1b[K\r\n... 2 mor\x1b[K\x1b[J",
  );
});
