import assert from "node:assert/strict";
import { ownCode, permissionsFor, type Role, runPermissionsCommand } from "./permissions_command.ts";

const kubeconfig = `
apiVersion: v1
clusters:
- cluster:
    certificate-authority: pki/ca.crt
    certificate-authority-data: AAAA
    server: https://10.9.8.7:6443
  name: k
users:
- name: u
  user:
    client-certificate: /pki/u.crt
    client-key: "/pki/u.key"
`;

const podEnv: Readonly<Record<string, string>> = {
  KUBERNETES_SERVICE_HOST: "10.96.0.1",
  KUBERNETES_SERVICE_PORT: "443",
};

const base = ["--no-prompt", "--ignore-env", "--deny-run", "--deny-ffi", "--deny-sys", "--deny-import"];

const host = {
  cwd: "/work",
  code: ["/code/main.ts", "/code/src"],
  env: (name: string) => podEnv[name],
  readText: (path: string) => {
    if (path !== "/etc/kubeconfig") throw new Error(`no file ${path}`);
    return kubeconfig;
  },
};

/** The lists of a command line, by flag; the flags that never change are checked and left out. */
function lists(role: Role, ...args: string[]): Record<string, string[] | true> {
  const result = permissionsFor(role, args, host);
  if (result.kind !== "flags") return assert.fail(result.text);
  for (const flag of base) assert.ok(result.flags.includes(flag), `${flag} is there`);
  return Object.fromEntries(
    result.flags.filter((flag) => !base.includes(flag)).map((flag) => {
      const [, name = "", entries] = /^--([a-z-]+)(?:=(.*))?$/.exec(flag) ?? [];
      return [name, entries === undefined ? true : entries.split(",")];
    }),
  );
}

const serverFiles = [
  "--server-cert=/a/issued/s.crt",
  "--server-key=/a/private/s.key",
  "--server-ca-cert=/a/issued/ca.crt",
  "--cluster-cert=certs/c.crt",
  "--cluster-key=certs/c.key",
  "--cluster-ca-cert=certs/ca.crt",
];

Deno.test("the server may listen on its own addresses, read its certificates, and nothing else", () => {
  assert.deepEqual(lists("server", ...serverFiles), {
    "allow-net": [
      "0.0.0.0:8090",
      "[::]:8090",
      "0.0.0.0:8091",
      "[::]:8091",
      "127.0.0.1:8095",
      "0.0.0.0:8092",
      "[::]:8092",
    ],
    "allow-read": [
      "/a/issued/s.crt",
      "/a/private/s.key",
      "/a/issued/ca.crt",
      "certs/c.crt",
      "certs/c.key",
      "certs/ca.crt",
    ],
    "allow-env": ["PROXY_SERVER_ID"],
  });
});

Deno.test("a server with workers may read its own code, which the runtime asks for when a worker runs it", () => {
  const read = (...args: string[]) => lists("server", ...serverFiles, ...args)["allow-read"];
  assert.deepEqual(read("--workers=1"), read());
  const alone = read();
  assert.deepEqual(read("--workers=2"), [...(alone === true ? [] : alone ?? []), "/code/main.ts", "/code/src"]);
});

Deno.test("a program's code is one file where it was built into one, else its folders", () => {
  assert.deepEqual(ownCode("file:///a%20b/dist/k.js", "file:///a%20b/dist/k.js"), ["/a b/dist/k.js"]);
  assert.deepEqual(ownCode("file:///k/src/cli/permissions_command.ts", "file:///k/main.ts"), [
    "/k/main.ts",
    "/k/src",
    "/k/gen",
    "/k/deno.json",
  ]);
});

Deno.test("the server's bind addresses are taken as they are, a name also as the addresses that it means", () => {
  const addresses = [
    "--server-bind-address=10.0.0.1",
    "--agent-bind-address=fd00::1",
    "--admin-bind-address=localhost",
    "--health-bind-address=[::1]",
  ];
  assert.deepEqual(lists("server", ...addresses)["allow-net"], [
    "10.0.0.1:8090",
    "[fd00::1]:8091",
    "localhost:8095",
    "127.0.0.1:8095",
    "[::1]:8095",
    "[::1]:8092",
  ]);
});

Deno.test("a server on a Unix socket gets the socket instead of a port, with reading and writing for it", () => {
  const { "allow-net": net, "allow-read": read, "allow-write": write } = lists(
    "server",
    "--uds-name=run/s.sock",
    "--server-port=0",
  );
  assert.deepEqual(net, [
    "unix:/work/run/s.sock",
    "0.0.0.0:8091",
    "[::]:8091",
    "127.0.0.1:8095",
    "0.0.0.0:8092",
    "[::]:8092",
  ]);
  assert.deepEqual(read, ["/work/run/s.sock"]);
  assert.deepEqual(write, ["/work/run/s.sock"]);
});

Deno.test("the Kubernetes API is reachable only for a server that needs it", () => {
  const tokens = ["--agent-namespace=n", "--agent-service-account=s", "--authentication-audience=a"];
  const inPod = lists("server", ...tokens);
  assert.ok(inPod["allow-net"] !== true && inPod["allow-net"]?.includes("10.96.0.1:443"));
  assert.deepEqual(inPod["allow-read"], ["/var/run/secrets/kubernetes.io/serviceaccount"]);
  assert.deepEqual(inPod["allow-env"], ["PROXY_SERVER_ID", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"]);

  const outside = lists("server", "--enable-lease-controller", "--kubeconfig=/etc/kubeconfig");
  assert.ok(outside["allow-net"] !== true && outside["allow-net"]?.includes("10.9.8.7:6443"));
  assert.deepEqual(outside["allow-read"], ["/etc/kubeconfig", "/etc/pki/ca.crt", "/pki/u.crt", "/pki/u.key"]);
  assert.deepEqual(outside["allow-env"], ["PROXY_SERVER_ID"]);

  const without = lists("server", "--kubeconfig=/etc/kubeconfig");
  assert.ok(without["allow-net"] !== true && !without["allow-net"]?.includes("10.9.8.7:6443"));
});

Deno.test("a kubeconfig that cannot be read grants only to try, so that the program can say what is wrong", () => {
  assert.deepEqual(lists("server", "--enable-lease-controller", "--kubeconfig=/gone")["allow-read"], ["/gone"]);
});

Deno.test("log files may be written only where logs go to files", () => {
  assert.equal(lists("server", "--log-file=/var/log/s.log")["allow-write"], undefined);
  const toFile = ["--log-file=/var/log/s.log", "--logtostderr=false"];
  for (const role of ["server", "agent", "test-client", "test-server"] as const) {
    assert.deepEqual(lists(role, ...toFile)["allow-write"], ["/var/log/s.log"]);
    assert.deepEqual(lists(role, "--logtostderr=false", "--log-dir=/logs")["allow-write"], ["/logs"]);
    assert.deepEqual(lists(role, "--logtostderr=false")["allow-write"], ["/tmp"]);
  }
});

const agentFiles = [
  "--ca-cert=/a/ca.crt",
  "--agent-cert=/b/a.crt",
  "--agent-key=/c/a.key",
  "--service-account-token-path=/t/token",
];

Deno.test("an agent for any destination may dial anyone, and otherwise only read what it was given", () => {
  assert.deepEqual(lists("agent", ...agentFiles), {
    "allow-net": true,
    "allow-read": ["/b/a.crt", "/c/a.key", "/a/ca.crt", "/t/token"],
    "allow-env": ["PROXY_AGENT_ID"],
  });
});

Deno.test("an agent with destinations may dial exactly these and its servers, and listen on its own ports", () => {
  const { "allow-net": net } = lists(
    "agent",
    "--proxy-server-host=proxy.example.com,fd00::1",
    "--destinations=10.0.0.0/8,*.svc:443",
  );
  assert.deepEqual(net, [
    "proxy.example.com:8091",
    "[fd00::1]:8091",
    "0.0.0.0:8093",
    "[::]:8093",
    "127.0.0.1:8094",
    "10.0.0.0/8",
    "*.svc:443",
  ]);
  const counting = lists("agent", "--destinations=a", "--count-server-leases")["allow-net"];
  assert.ok(counting !== true && counting?.includes("10.96.0.1:443"));
});

Deno.test("the test client may dial the proxy and nobody else", () => {
  assert.deepEqual(lists("test-client", "--proxy-host=p", "--ca-cert=/a/ca.crt", "--request-host=elsewhere"), {
    "allow-net": ["p:8090"],
    "allow-read": ["/a/ca.crt"],
  });
  const { "allow-net": net, "allow-read": read, "allow-write": write } = lists(
    "test-client",
    "--proxy-uds=/s",
    "--proxy-host=",
    "--proxy-port=0",
  );
  assert.deepEqual([net, read, write], [["unix:/s"], ["/s"], ["/s"]]);
});

Deno.test("the test server may listen on its port and nothing else", () => {
  assert.deepEqual(lists("test-server"), { "allow-net": ["127.0.0.1:8000"] });
});

Deno.test("options that the program will refuse do not keep the runtime from starting it", () => {
  assert.deepEqual(lists("test-server", "--server-port=99999"), {});
  assert.deepEqual(lists("agent", "--destinations=::1,a", "--proxy-server-port=70000")["allow-net"], [
    "0.0.0.0:8093",
    "[::]:8093",
    "127.0.0.1:8094",
    "a",
  ]);
});

Deno.test("a path with a comma cannot be granted, and that is said", () => {
  const result = permissionsFor("server", ["--server-cert=/a,b/c.crt", "--server-key=/k"], host);
  assert.match(result.kind === "error" ? result.text : "", /^Error: \/a,b\/c.crt holds a comma/);
});

/** Runs the command; what it printed. */
function run(...args: string[]): { code: number; out: string; error: string } {
  let out = "";
  let error = "";
  const code = runPermissionsCommand(args, {
    ...host,
    out: (text) => void (out += text),
    error: (text) => void (error += text),
  });
  return { code, out, error };
}

Deno.test("the command prints one flag a line", () => {
  const { code, out, error } = run("test-server", "--server-port=8001");
  assert.equal(code, 0);
  assert.equal(error, "");
  assert.equal(
    out,
    "--no-prompt\n--allow-net=127.0.0.1:8001\n--ignore-env\n--deny-run\n--deny-ffi\n--deny-sys\n--deny-import\n",
  );
});

Deno.test("asking a program for help needs no permission", () => {
  for (const flag of ["--help", "--version"]) assert.deepEqual(run("server", flag).out.trim().split("\n"), base);
});

Deno.test("a mistake in the flags is told as the program itself would, with exit code 1", () => {
  const { code, out, error } = run("agent", "--nope");
  assert.equal(code, 1);
  assert.equal(out, "");
  assert.match(error, /^Error: unknown flag: --nope\nUsage:\n {2}proxy-agent \[flags\]/);
});

Deno.test("an unknown program is told with those that are known", () => {
  const { code, error } = run("proxy");
  assert.equal(code, 1);
  assert.match(error, /unknown program "proxy", one of server, agent, test-client, test-server is needed/);
  assert.equal(run().code, 1);
  assert.equal(run("--help").code, 0);
});
