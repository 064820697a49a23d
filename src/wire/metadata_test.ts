import assert from "node:assert/strict";
import { formatFeatures, MetadataError, metadataKeys, parseFeatures, parseServerMetadata } from "./metadata.ts";

function parse(metadata: Record<string, readonly string[]>) {
  return parseServerMetadata((key) => metadata[key] ?? []);
}

function rejected(metadata: Record<string, readonly string[]>, message: string): void {
  assert.throws(() => parse(metadata), (error) => {
    assert.ok(error instanceof MetadataError);
    assert.equal(error.code, "bad-metadata");
    assert.equal(error.message, message);
    return true;
  });
}

Deno.test("a server says its id and how many servers there are", () => {
  assert.deepEqual(parse({ serverid: ["a"], servercount: ["3"] }), { serverId: "a", serverCount: 3 });
  assert.deepEqual(parse({ serverid: [""], servercount: ["+1"] }), { serverId: "", serverCount: 1 });
});

Deno.test("a server count below one counts as one", () => {
  for (const count of ["0", "-5"]) assert.equal(parse({ serverid: ["a"], servercount: [count] }).serverCount, 1);
});

Deno.test("a server that gives no id, no count, or several, is refused in the original's words", () => {
  rejected({ servercount: ["1"] }, "expected one server ID in the context, got []");
  rejected({ serverid: ["a", "b"], servercount: ["1"] }, "expected one server ID in the context, got [a b]");
  rejected({ serverid: ["a"] }, "expected one server count, got 0");
  rejected({ serverid: ["a"], servercount: ["1", "2"] }, "expected one server count, got 2");
});

Deno.test("a server count that is no number, or none that can be counted to, is refused", () => {
  for (const count of ["", "x", "1.5", "1e3", " 1", "0x10", "99999999999999999999", "9".repeat(400)]) {
    rejected({ serverid: ["a"], servercount: [count] }, `server count ${JSON.stringify(count)} is not a number`);
  }
});

Deno.test("a feature list survives the way there and back", () => {
  const features = ["early-data"] as const;
  assert.deepEqual([...parseFeatures(formatFeatures(features))], features);
  assert.equal(formatFeatures([]), "");
});

Deno.test("features of later versions, blanks and an absent list are no error", () => {
  assert.deepEqual([...parseFeatures(" teleport , early-data,,early-data")], ["early-data"]);
  assert.deepEqual([...parseFeatures("")], []);
  assert.deepEqual([...parseFeatures(undefined)], []);
  assert.deepEqual([...parseFeatures("constructor,__proto__,toString")], []);
});

Deno.test("metadata keys are lower-case, as HTTP/2 requires", () => {
  for (const key of Object.values(metadataKeys)) assert.equal(key, key.toLowerCase());
});
