import assert from "node:assert/strict";
import { balancerKinds, configurationOf } from "../support/processes/balancers.ts";
import { balancersTest, livesBehindBalancers } from "./behind_balancers.ts";

Deno.test("docs/balancers.md has one configuration for each balancer, with what is replaced here", async () => {
  const text = await Deno.readTextFile(new URL("../../docs/balancers.md", import.meta.url));
  const servers = ["a:1", "b:2"].map((address, at) => ({ address, healthPort: 3 + at }));
  const place = { folder: "/folder", certificates: "/certificates", port: 9, servers, idle: "7s" };
  for (const kind of balancerKinds) {
    const configuration = configurationOf(text, kind, place);
    assert.match(configuration, /127\.0\.0\.1:9\b/);
    assert.doesNotMatch(configuration, /10\.0\.0|8091|8092|\b60s|\/etc|\/var/);
    assert.throws(() => configurationOf(text.replaceAll("60s", "50s"), kind, place), /has no 60s for/);
    assert.throws(() => configurationOf(text.replace(`## ${kind}`, "## other"), kind, place), /no configuration/);
  }
});

await balancersTest(
  "links of both kinds come about behind nginx and HAProxy as docs/balancers.md configures them, and bytes pass",
  (t) => livesBehindBalancers(t, false),
);
