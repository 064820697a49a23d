import assert from "node:assert/strict";
import type { FieldCase, FieldProgram } from "./field_case.ts";
import { distributions } from "./distributions.ts";
import { edited, expanded, patienceMs, probeOf } from "./kubelet.ts";

const program = (command: readonly string[], more: Partial<FieldProgram> = {}): FieldProgram => ({
  command,
  files: {},
  healthPort: 8092,
  ...more,
});

Deno.test("arguments are expanded as a kubelet does, and nothing else is", () => {
  const env = { HOST_IP: "10.0.0.2", EMPTY: "" };
  const words = [
    "/p",
    "ipv4=$(HOST_IP)",
    "${HOST_IP}",
    "$HOST_IP",
    "$$(HOST_IP)",
    "$(NOBODY)",
    "$(EMPTY)",
    "$(HOST_IP",
    "a$",
  ];
  assert.deepEqual(expanded(program(words, { env })), [
    "/p",
    "ipv4=10.0.0.2",
    "${HOST_IP}",
    "$HOST_IP",
    "$(HOST_IP)",
    "$(NOBODY)",
    "",
    "$(HOST_IP",
    "a$",
  ]);
});

Deno.test("probes have the API's defaults, and a path without its slash", () => {
  assert.deepEqual(probeOf({ path: "healthz", port: 2041 }, "agent"), {
    path: "/healthz",
    port: 2041,
    host: "10.0.0.2",
    scheme: "HTTP",
    initialDelaySeconds: 0,
    timeoutSeconds: 1,
    periodSeconds: 10,
    failureThreshold: 3,
  });
});

Deno.test("a kubelet's patience ends with the last probe that may fail; a startup probe comes before a liveness probe", () => {
  const liveness = { path: "/healthz", port: 1, initialDelaySeconds: 15 };
  const startup = { path: "/healthz", port: 1, periodSeconds: 5, failureThreshold: 60 };
  assert.equal(patienceMs(program([], { liveness }), "server"), 35_000);
  assert.equal(patienceMs(program([], { liveness, startup }), "server"), 295_000);
  assert.equal(patienceMs(program([]), "server"), Number.POSITIVE_INFINITY);
});

Deno.test("an edit replaces and adds arguments of the program that refuses, and what it replaces is there", () => {
  const [any] = distributions;
  assert.ok(any !== undefined);
  const field: FieldCase = {
    ...any,
    server: program(["/p", "--a", "--b"]),
    refusal: { of: "server", says: "", original: "runs", edit: { replace: { "--a": "--c" }, add: ["--d"] } },
  };
  assert.deepEqual(edited(field).server.command, ["/p", "--c", "--b", "--d"]);
  assert.deepEqual(edited(field).agent, field.agent);
  assert.throws(() => edited({ ...field, server: program(["/p"]) }), /no argument --a to replace/);
});
