import assert from "node:assert/strict";
import config from "../../../deno.json" with { type: "json" };
import { proxyVariables } from "../../dial/proxy/proxy_settings.ts";
import { permissionsFor, type Role } from "./permissions_command.ts";

function kubeconfig(cluster: Readonly<Record<string, string>>): string {
  return JSON.stringify({
    "current-context": "x",
    contexts: [{ name: "x", context: { cluster: "c" } }],
    clusters: [{ name: "c", cluster }],
  });
}

const files: Readonly<Record<string, string>> = {
  "/etc/resolv.conf": "nameserver 10.96.0.10\n",
  "/etc/kubeconfig": kubeconfig({ server: "https://api.example:6443" }),
  "/etc/plain": kubeconfig({ server: "http://api.example:8080" }),
  "/etc/proxied": kubeconfig({ server: "https://api.example:6443", "proxy-url": "http://own.example:3128" }),
};

function answer(role: Role, env: Readonly<Record<string, string>>, ...args: string[]) {
  return permissionsFor(role, args, {
    cwd: "/work",
    env: (name) => env[name],
    readText: (path) => files[path] ?? assert.fail(`no file ${path}`),
  });
}

/** What may be dialled, listeners and name servers aside. */
async function dialled(
  role: Role,
  env: Readonly<Record<string, string>>,
  ...args: string[]
): Promise<readonly string[]> {
  const result = await answer(role, env, ...args);
  if (result.kind !== "flags") return assert.fail(result.text);
  assert.doesNotMatch(result.flags.join("\n"), /:secret/);
  const net = result.flags.find((flag) => flag.startsWith("--allow-net="))?.slice("--allow-net=".length) ?? "";
  return net.split(",").filter((entry) => !/^(0\.0\.0\.0|\[::\]|127\.0\.0\.1):|:53$/.test(entry));
}

const env = { HTTPS_PROXY: "http://me:secret@proxy.example:3128", NO_PROXY: ".internal" };

Deno.test("an agent may dial the proxy that the environment names in place of its servers, and what NO_PROXY names itself", async () => {
  const flags = ["--proxy-server-host=a.example,b.internal,127.0.0.1", "--destinations=10.0.0.1"];
  assert.deepEqual(await dialled("agent", env, ...flags), ["proxy.example:3128", "b.internal:8091", "10.0.0.1"]);
  assert.deepEqual(await dialled("agent", {}, ...flags), ["a.example:8091", "b.internal:8091", "10.0.0.1"]);
  const ipv6 = { https_proxy: "https://[fd00::1]" };
  assert.deepEqual(await dialled("agent", ipv6, ...flags), ["[fd00::1]:443", "10.0.0.1"]);
});

Deno.test("a server that needs the Kubernetes API may dial the proxy, unless the kubeconfig names its own", async () => {
  const api = (variables: Readonly<Record<string, string>>, kubeconfig: string) =>
    dialled("server", variables, "--enable-lease-controller", `--kubeconfig=${kubeconfig}`);
  assert.deepEqual(await api(env, "/etc/kubeconfig"), ["proxy.example:3128"]);
  assert.deepEqual(await api({ ...env, NO_PROXY: "api.example" }, "/etc/kubeconfig"), ["api.example:6443"]);
  assert.deepEqual(await api(env, "/etc/plain"), ["api.example:8080"]);
  assert.deepEqual(await api(env, "/etc/proxied"), ["own.example:3128"]);
  const pod = { KUBERNETES_SERVICE_HOST: "10.96.0.1", KUBERNETES_SERVICE_PORT: "443" };
  assert.deepEqual(await api({ ...env, ...pod }, ""), ["proxy.example:3128"]);
  assert.deepEqual(await api({ ...env, ...pod, NO_PROXY: "10.96.0.0/12" }, ""), ["10.96.0.1:443"]);
  assert.deepEqual(await dialled("server", env), []);
});

Deno.test("a proxy that cannot be used is refused before the program starts, without its password", async () => {
  const bad = { HTTPS_PROXY: "socks5://me:secret@proxy.example" };
  const text = "Error: HTTPS_PROXY must be a URL that starts with http:// or https://, not with socks5://\n";
  assert.deepEqual(await answer("agent", bad), { kind: "error", text });
  assert.deepEqual(await answer("server", bad, "--enable-lease-controller", "--kubeconfig=/etc/kubeconfig"), {
    kind: "error",
    text,
  });
  assert.equal((await answer("server", bad)).kind, "flags");
});

Deno.test("the named set of an agent has the variables too: one that it cannot read would be a way around the proxy", () => {
  for (const name of proxyVariables) assert.ok(config.permissions.agent.env.allow.includes(name), name);
});
