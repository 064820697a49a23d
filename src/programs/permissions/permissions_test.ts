import assert from "node:assert/strict";
import { proxyVariables } from "../../dial/proxy/proxy_settings.ts";
import { permissionsFor, type Role } from "./permissions_command.ts";
import { wholeCode } from "./program_code.ts";

const kubeconfig = `
apiVersion: v1
current-context: main
clusters:
- cluster:
    certificate-authority: pki/ca.crt
    server: https://10.9.8.7:6443
  name: k
- cluster:
    certificate-authority: /other/ca.crt
    server: https://192.0.2.1:6443
  name: other
contexts:
- context: { cluster: k, user: u }
  name: main
- context: { cluster: other, user: other }
  name: other
users:
- name: u
  user:
    client-certificate: "/pki of u/u.crt"
    client-key: '/pki of u/u.key'
- name: other
  user: { tokenFile: /other/token }
`;

const podEnv: Readonly<Record<string, string>> = {
  KUBERNETES_SERVICE_HOST: "10.96.0.1",
  KUBERNETES_SERVICE_PORT: "443",
};

const base = ["--no-prompt", "--ignore-env", "--deny-run", "--deny-ffi", "--deny-import"];
/** Every program but the agent. */
const noSystem = "--deny-sys";

const host = {
  cwd: "/work",
  code: wholeCode(["/code/main.ts", "/code/src"]),
  env: (name: string) => podEnv[name],
  readText: (path: string) => {
    if (path === "/etc/resolv.conf") return "nameserver 10.96.0.10\nnameserver fd00::a\n";
    if (path !== "/etc/kubeconfig") throw new Error(`no file ${path}`);
    return kubeconfig;
  },
};

/** What resolving names takes. */
const nameFiles = ["/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf"];
const nameServers = ["0.0.0.0:0", "[::]:0", "10.96.0.10:53", "[fd00::a]:53"];

/** The lists of a command line, by flag; the flags that never change are checked and left out. */
async function lists(role: Role, ...args: string[]): Promise<Record<string, string[] | true>> {
  const result = await permissionsFor(role, args, host);
  if (result.kind !== "flags") return assert.fail(result.text);
  const fixed = result.flags.some((flag) => flag.startsWith("--allow-sys=")) ? base : [...base, noSystem];
  for (const flag of fixed) assert.ok(result.flags.includes(flag), `${flag} is there`);
  return Object.fromEntries(
    result.flags.filter((flag) => !fixed.includes(flag)).map((flag) => {
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

Deno.test("the server may listen on its own addresses, read its certificates, and nothing else", async () => {
  assert.deepEqual(await lists("server", ...serverFiles), {
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
      "/dev/null",
      "/a/issued/s.crt",
      "/a/private/s.key",
      "/a/issued/ca.crt",
      "certs/c.crt",
      "certs/c.key",
      "certs/ca.crt",
    ],
    "allow-env": ["PROXY_SERVER_ID", "KONNECTIVITY_MAX_FDS", "KONNECTIVITY_MEMORY_LIMIT"],
  });
});

Deno.test("a server with workers may read its own code, which the runtime asks for when a worker runs it", async () => {
  const read = async (...args: string[]) => (await lists("server", ...serverFiles, ...args))["allow-read"];
  const alone = await read();
  assert.deepEqual(await read("--workers=1"), alone);
  assert.deepEqual(await read("--workers=2"), [...(alone === true ? [] : alone ?? []), "/code/main.ts", "/code/src"]);
});

Deno.test("a role may read what lies beside its bundle where it may need it", async () => {
  const code = { own: ["/dist/server.js"], kubeconfig: ["/dist/kubeconfig.js"], page: ["/dist/page.js"] };
  const readable = async (...flags: string[]) => {
    const result = await permissionsFor("server", [...serverFiles, ...flags], {
      env: () => undefined,
      readText: () => "",
      cwd: "/",
      code,
    });
    assert.ok(result.kind === "flags");
    const [read = ""] = result.flags.filter((flag) => flag.startsWith("--allow-read="));
    return [...read.matchAll(/\/dist\/(\w+)\.js/g)].map(([, name]) => name);
  };
  assert.deepEqual(await readable(), ["page"]);
  assert.deepEqual(await readable("--workers=2"), ["page", "server"]);
  assert.deepEqual(await readable("--kubeconfig=/k", "--enable-lease-controller"), ["kubeconfig", "page"]);
});

Deno.test("probes of destinations take no permission: agents dial them", async () => {
  const probes = ["--probe-destination=10.96.0.1:443,kubernetes.default.svc:443", "--probe-readiness"];
  assert.deepEqual(await lists("server", ...serverFiles, ...probes), await lists("server", ...serverFiles));
});

Deno.test("the server's bind addresses are taken as they are, a name also as the addresses that it means", async () => {
  const addresses = [
    "--server-bind-address=10.0.0.1",
    "--agent-bind-address=fd00::1",
    "--admin-bind-address=localhost",
    "--health-bind-address=[::1]",
  ];
  assert.deepEqual((await lists("server", ...addresses))["allow-net"], [
    "10.0.0.1:8090",
    "[fd00::1]:8091",
    "localhost:8095",
    "127.0.0.1:8095",
    "[::1]:8095",
    "[::1]:8092",
  ]);
});

Deno.test("a server on a Unix socket gets the socket instead of a port, with reading and writing for it", async () => {
  const { "allow-net": net, "allow-read": read, "allow-write": write } = await lists(
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
  assert.deepEqual(read, ["/dev/null", "/work/run/s.sock"]);
  assert.deepEqual(write, ["/work/run/s.sock"]);
});

Deno.test("the Kubernetes API is reachable only for a server that needs it", async () => {
  const tokens = ["--agent-namespace=n", "--agent-service-account=s", "--authentication-audience=a"];
  const inPod = await lists("server", ...tokens);
  assert.ok(inPod["allow-net"] !== true && inPod["allow-net"]?.includes("10.96.0.1:443"));
  assert.deepEqual(inPod["allow-read"], ["/dev/null", "/var/run/secrets/kubernetes.io/serviceaccount"]);
  assert.deepEqual(inPod["allow-env"], [
    "PROXY_SERVER_ID",
    "KONNECTIVITY_MAX_FDS",
    "KONNECTIVITY_MEMORY_LIMIT",
    "KUBERNETES_SERVICE_HOST",
    "KUBERNETES_SERVICE_PORT",
    ...proxyVariables,
  ]);

  const outside = await lists("server", "--enable-lease-controller", "--kubeconfig=/etc/kubeconfig");
  assert.ok(outside["allow-net"] !== true && outside["allow-net"]?.includes("10.9.8.7:6443"));
  assert.deepEqual(outside["allow-read"], [
    "/dev/null",
    "/etc/kubeconfig",
    "/etc/pki/ca.crt",
    "/pki of u/u.crt",
    "/pki of u/u.key",
  ]);
  assert.deepEqual(outside["allow-env"], [
    "PROXY_SERVER_ID",
    "KONNECTIVITY_MAX_FDS",
    "KONNECTIVITY_MEMORY_LIMIT",
    ...proxyVariables,
  ]);

  const without = await lists("server", "--kubeconfig=/etc/kubeconfig");
  assert.ok(without["allow-net"] !== true && !without["allow-net"]?.includes("10.9.8.7:6443"));
});

Deno.test("a kubeconfig that cannot be read grants only to try, so that the program can say what is wrong", async () => {
  assert.deepEqual((await lists("server", "--enable-lease-controller", "--kubeconfig=/gone"))["allow-read"], [
    "/dev/null",
    "/gone",
  ]);
});

Deno.test("log files may be written only where logs go to files", async () => {
  assert.equal((await lists("server", "--log-file=/var/log/s.log"))["allow-write"], undefined);
  const toFile = ["--log-file=/var/log/s.log", "--logtostderr=false"];
  for (const role of ["server", "agent", "test-client", "test-server"] as const) {
    assert.deepEqual((await lists(role, ...toFile))["allow-write"], ["/var/log/s.log"]);
    // What is there already is looked at: whose link it is, and that it is what was opened.
    assert.ok([(await lists(role, ...toFile))["allow-read"]].flat().includes("/var/log/s.log"));
    assert.ok([(await lists(role, ...toFile))["allow-sys"]].flat().includes("uid"));
    assert.ok(![(await lists(role, "--logtostderr=false"))["allow-sys"]].flat().includes("uid"));
    assert.ok([(await lists(role, "--logtostderr=false"))["allow-sys"]].flat().includes("hostname"));
    assert.ok(![(await lists(role))["allow-sys"]].flat().includes("hostname"));
    assert.deepEqual((await lists(role, "--logtostderr=false", "--log-dir=/logs"))["allow-write"], ["/logs"]);
    assert.deepEqual((await lists(role, "--logtostderr=false"))["allow-write"], ["/tmp"]);
  }
});

const agentFiles = [
  "--ca-cert=/a/ca.crt",
  "--agent-cert=/b/a.crt",
  "--agent-key=/c/a.key",
  "--service-account-token-path=/t/token",
];

Deno.test("an agent for any destination may dial anyone, and otherwise only read what it was given", async () => {
  assert.deepEqual(await lists("agent", ...agentFiles), {
    "allow-net": true,
    "allow-read": ["/dev/null", "/b/a.crt", "/c/a.key", "/a/ca.crt", "/t/token", ...nameFiles],
    "allow-env": ["PROXY_AGENT_ID", "KONNECTIVITY_MAX_FDS", "KONNECTIVITY_MEMORY_LIMIT", ...proxyVariables],
    "allow-sys": ["networkInterfaces"],
  });
});

Deno.test("an agent with addresses for destinations may dial exactly these and its servers, and listen on its ports", async () => {
  const { "allow-net": net } = await lists(
    "agent",
    "--proxy-server-host=proxy.example.com,fd00::1",
    "--destinations=10.0.0.0/8,192.0.2.1:443,[fd00::2]:80,fd00::3,::ffff:10.9.0.0/112",
    "--deny-destinations=10.1.0.0/16",
  );
  assert.deepEqual(net, [
    "proxy.example.com:8091",
    "[fd00::1]:8091",
    "0.0.0.0:8093",
    "[::]:8093",
    "127.0.0.1:8094",
    "10.0.0.0/8",
    "192.0.2.1:443",
    "[fd00::2]:80",
    "[fd00::3]",
    "10.9.0.0/16",
    ...nameServers,
  ]);
  const counting = (await lists("agent", "--destinations=10.0.0.1", "--count-server-leases"))["allow-net"];
  assert.ok(counting !== true && counting?.includes("10.96.0.1:443"));
});

Deno.test("where the runtime cannot express a destination the agent alone checks all of them", async () => {
  for (const entry of ["web.example", "*.svc:443", "*", "fd00::/8", "10.0.0.0/8:80-90"]) {
    assert.equal((await lists("agent", `--destinations=10.0.0.0/8,${entry}`))["allow-net"], true, entry);
  }
});

Deno.test("the test client may dial the proxy and nobody else", async () => {
  assert.deepEqual(await lists("test-client", "--proxy-host=p", "--ca-cert=/a/ca.crt", "--request-host=elsewhere"), {
    "allow-net": ["p:8090", ...nameServers],
    "allow-read": ["/a/ca.crt", ...nameFiles],
  });
  const ofLocal = await lists("test-client");
  assert.deepEqual([ofLocal["allow-net"], ofLocal["allow-read"]], [["localhost:8090"], nameFiles]);
  assert.deepEqual(await lists("test-client", "--proxy-host=10.0.0.1"), { "allow-net": ["10.0.0.1:8090"] });
  const { "allow-net": net, "allow-read": read, "allow-write": write } = await lists(
    "test-client",
    "--proxy-uds=/s",
    "--proxy-host=",
    "--proxy-port=0",
  );
  assert.deepEqual([net, read, write], [["unix:/s"], ["/s"], ["/s"]]);
});

Deno.test("the test server may listen on its port and nothing else", async () => {
  assert.deepEqual(await lists("test-server"), { "allow-net": ["127.0.0.1:8000"] });
});

Deno.test("options that the program will refuse do not keep the runtime from starting it", async () => {
  assert.deepEqual(await lists("test-server", "--server-port=99999"), {});
  assert.deepEqual((await lists("agent", "--destinations=127.1,10.0.0.1", "--proxy-server-port=70000"))["allow-net"], [
    "0.0.0.0:8093",
    "[::]:8093",
    "127.0.0.1:8094",
    "10.0.0.1",
    ...nameServers,
  ]);
});

Deno.test("a server may ask name servers only where the Kubernetes API has a name, and then those that are named now", async () => {
  const review = ["--agent-namespace=n", "--agent-service-account=a", "--authentication-audience=x"];
  const inPod = await lists("server", ...serverFiles, ...review);
  assert.ok(!String(inPod["allow-net"]).includes(":53") && !String(inPod["allow-read"]).includes("/etc/hosts"));
  const named = await permissionsFor("server", [...serverFiles, ...review], {
    ...host,
    env: (name) => name === "KUBERNETES_SERVICE_HOST" ? "api.example" : podEnv[name],
    readText: () => {
      throw new Error("no file");
    },
  });
  if (named.kind !== "flags") return assert.fail(named.text);
  const net = named.flags.find((flag) => flag.startsWith("--allow-net=")) ?? "";
  assert.ok(net.endsWith(",0.0.0.0:0,[::]:0,127.0.0.1:53,[::1]:53"), net);
  assert.ok(named.flags.some((flag) => flag.startsWith("--allow-read=") && flag.endsWith(nameFiles.join(","))));
});

Deno.test("a path with a comma or a line break cannot be granted, and that is said", async () => {
  for (
    const [path, fault] of [
      ["/a,b/c.crt", "a comma"],
      ["/a\n--allow-all", "a line break"],
      ["/a\r--allow-all", "a line break"],
      ["/a\n", "a line break"],
    ] as const
  ) {
    for (
      const [role, flag] of [
        ["server", "--server-cert"],
        ["server", "--uds-name"],
        ["agent", "--ca-cert"],
        ["agent", "--service-account-token-path"],
        ["test-client", "--proxy-uds"],
        ["test-server", "--logtostderr=false --log-file"],
      ] as const
    ) {
      const flags = `${flag}=`.split(" ");
      flags.push(flags.pop() + path);
      const result = await permissionsFor(role, flags, host);
      assert.ok(result.kind === "error" && result.text.endsWith("use another path\n"), JSON.stringify(result));
      assert.match(result.text, new RegExp(`^Error: "(unix:)?/.* holds ${fault}`));
    }
  }
});
