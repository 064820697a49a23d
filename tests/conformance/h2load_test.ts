import assert from "node:assert/strict";
import { h2Limits } from "../../src/h2/limits.ts";
import { edgeLimits } from "../../src/net/edge/edge_limits.ts";
import { neededTest } from "../support/assert/needed.ts";
import { whyNoH2load } from "./h2load.ts";
import { implementations, keepsBounds, streams } from "./h2load_bounds.ts";

Deno.test("what h2load is given is within the bounds, and the document says what these are", async () => {
  assert.ok(streams <= edgeLimits.messageCallsOfConnection);
  const document = await Deno.readTextFile(new URL("../../docs/reference.md", import.meta.url));
  const [, chapter = ""] = document.split("\n## Calls that are answered at once\n");
  const said = (chapter.split("\n## ")[0] ?? "").replaceAll(/\s+/g, " ");
  for (const [name, burst] of implementations) {
    const rate = h2Limits.idleFramesPerSecond / (h2Limits.idleFrameBurst / burst);
    const shown = burst.toLocaleString("en");
    assert.ok(
      said.includes(`\`--http2=${name}\` | ${shown} | ${rate} `),
      `${name}: ${shown} at once, ${rate} a second`,
    );
  }
  assert.ok(said.includes(`more than ${edgeLimits.messageCallsOfConnection} calls`), said);
});

neededTest(
  "h2load, --http2=own: calls within the bounds are all answered, a connection beyond them is closed, and neither harms a neighbour",
  whyNoH2load,
  (t) => keepsBounds(t, "own"),
);
