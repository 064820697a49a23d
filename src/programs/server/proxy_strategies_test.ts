import assert from "node:assert/strict";
import { parseProxyStrategies, parseProxyStrategy } from "./proxy_strategies.ts";

Deno.test("[server 13.2-1..2] a strategy is named in its exact letters", () => {
  for (const name of ["default", "destHost", "defaultRoute"]) assert.equal(parseProxyStrategy(name), name);
  assert.throws(() => parseProxyStrategy(""), { message: "unknown proxy strategy: " });
  assert.throws(() => parseProxyStrategy("unrecognized"), { message: "unknown proxy strategy: unrecognized" });
});

Deno.test("[server 13.2-3] a list of strategies keeps its order and its duplicates", () => {
  assert.throws(() => parseProxyStrategies(""), { message: "proxy strategies cannot be empty" });
  assert.throws(() => parseProxyStrategies("unrecognized"), { message: "unknown proxy strategy: unrecognized" });
  for (const name of ["default", "destHost", "defaultRoute"]) assert.deepEqual(parseProxyStrategies(name), [name]);
  assert.deepEqual(parseProxyStrategies("destHost,defaultRoute,defaultRoute,default"), [
    "destHost",
    "defaultRoute",
    "defaultRoute",
    "default",
  ]);
  assert.deepEqual(parseProxyStrategies("destHost,defaultRoute,default,"), ["destHost", "defaultRoute", "default"]);
});
