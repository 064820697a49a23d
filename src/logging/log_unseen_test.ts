import type { LogRecord } from "@logtape/logtape";
import fc from "fast-check";
import assert from "node:assert/strict";
import { formatJson } from "./log_json.ts";
import { formatText } from "./log_text.ts";

/** What no line may hold: a reader would not see it, or would see other signs than came, or in another order. */
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}]|(?! )\p{Zs}/u;

/** One of each kind that has been used to deceive a reader of logs or of source text. */
const deceptive = [
  "\u202a",
  "\u202b",
  "\u202d",
  "\u202e",
  "\u2066",
  "\u2067",
  "\u2068",
  "\u2069",
  "\u200e",
  "\u200f",
  "\u061c",
  "\u0000",
  "\u0007",
  "\b",
  "\t",
  "\r",
  "\n",
  "\u001b[2K",
  "\u001b]0;title\u0007",
  "\u007f",
  "\u0085",
  "\u009b31m",
  "\u00a0",
  "\u00ad",
  "\u200b",
  "\u200d",
  "\u2028",
  "\u2029",
  "\u2060",
  "\u3000",
  "\u3164",
  "\ufe0f",
  "\ufeff",
  "\ufff9",
  "\ud800",
  "\u{e0041}",
  "\u{1d173}",
];

/** Any text, and often one that deceives. */
const texts = fc.array(
  fc.oneof(fc.constantFrom(...deceptive), fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" })),
).map((parts) => parts.join(""));

function record(text: string): LogRecord {
  return {
    category: ["server"],
    level: "warning",
    message: ["agent ", text, " is refused"],
    rawMessage: "agent {agentId} is refused",
    timestamp: 0,
    properties: { agentId: text, [text]: text, list: [text], error: new Error(text) },
  };
}

Deno.test("a line of text shows every sign that came, whoever chose it and wherever it stands", () => {
  fc.assert(fc.property(texts, (text) => {
    const line = formatText(record(text), { pid: 1, skipHeaders: false });
    assert.ok(line.endsWith("\n"));
    assert.doesNotMatch(line.slice(0, -1), unseen);
  }));
  for (const text of deceptive) {
    const line = formatText(record(text), { pid: 1, skipHeaders: true });
    assert.doesNotMatch(line.slice(0, -1), unseen, JSON.stringify(text));
  }
});

Deno.test("a line of JSON shows every sign that came, and is read as the value that came", () => {
  fc.assert(fc.property(texts.filter((text) => text.length < 2_000), (text) => {
    const line = formatJson(record(text));
    assert.ok(line.endsWith("\n"));
    assert.doesNotMatch(line.slice(0, -1), unseen);
    assert.equal(JSON.parse(line).list[0], text);
  }));
});

Deno.test("what turns text around is shown in the form that JSON has for it, and plain text stays as it is", () => {
  const show = (text: string) =>
    formatText({ ...record(""), message: [text], properties: {} }, { pid: 1, skipHeaders: true });
  assert.equal(show("client \u202eelgoog\u202c"), "client \\u202eelgoog\\u202c\n");
  assert.equal(show("tag \u{e0041}"), "tag \\udb40\\udc41\n");
  assert.equal(show("Zürich, 東京, שלום 🚀"), "Zürich, 東京, שלום 🚀\n");
});
