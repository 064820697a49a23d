import { createServer } from "node:net";
import { startConnectProxy } from "../fakes/fake_connect_proxy.ts";
import { makeTestCertificates } from "../in_process/test_certificates.ts";
import { startServer } from "../processes/processes.ts";
import { agent, type Mistake, pod, server } from "./mistake.ts";

/** Mistakes in flags and names, and with what the machine and its network have. */
export const programMistakes: readonly Mistake[] = [
  {
    what: "a flag that there is not",
    check: "flags",
    text: /refuses to start: unknown flag: --cluster-ca$/,
    made: (here) => {
      here.server["cluster-ca"] = "x";
      return server(here);
    },
  },
  {
    what: "a server that asks its agents for nothing",
    check: "flags",
    text: /agents would not be authenticated: set --cluster-ca-cert/,
    made: (here) => {
      here.server["cluster-ca-cert"] = undefined;
      return server(here);
    },
  },
  {
    what: "two ports of a server at one address",
    check: "flags",
    text: /must not both be/,
    made: (here) => {
      here.server["health-port"] = here.server["agent-port"];
      return server(here);
    },
  },
  {
    what: "an agent's identifier that fits nothing",
    check: "flags",
    outcome: "warning",
    text: /ipv4=node-1 matches no destination/,
    made: (here) => {
      here.agent["agent-identifiers"] = "ipv4=node-1";
      return agent(here);
    },
  },
  {
    what: "a certificate for another name than the one that agents connect to",
    check: "names",
    text:
      /is for localhost, 127\.0\.0\.1, ::1, and agents connect to konnectivity\.example .*DNS:konnectivity\.example among/,
    made: (here) => server(here, "--server-host=konnectivity.example"),
  },
  {
    what: "a certificate without the address that an agent's manifest names",
    check: "names",
    text: /agents connect to 10\.0\.0\.7 \(Pod kube-system\/konnectivity-agent.*IP:10\.0\.0\.7/,
    made: async (here) => {
      here.agent["proxy-server-host"] = "10.0.0.7";
      return await here.check("-f", await here.manifest(here.pod("server"), here.pod("agent")));
    },
  },
  {
    what: "a port that somebody has",
    check: "listeners",
    text: /address already in use/,
    made: async (here) => {
      const other = createServer();
      await new Promise<void>((resolve) =>
        other.listen(Number(here.server["agent-port"]), "127.0.0.1", () => resolve())
      );
      try {
        return await server(here);
      } finally {
        await new Promise((resolve) => other.close(resolve));
      }
    },
  },
  {
    what: "a socket in a folder that there is not",
    check: "listeners",
    text: /the folder .*\/none does not exist: make it/,
    made: (here) => {
      here.server["uds-name"] = `${here.folder}/none/frontend.sock`;
      return server(here);
    },
  },
  {
    what: "a socket that another server listens on",
    check: "listeners",
    text: /somebody listens on .*frontend\.sock: a server that starts would take its place/,
    made: async (here) => {
      const other = createServer((socket) => socket.destroy());
      await new Promise<void>((resolve) => other.listen(here.server["uds-name"], () => resolve()));
      try {
        return await server(here);
      } finally {
        await new Promise((resolve) => other.close(resolve));
      }
    },
  },
  {
    what: "a name of a server that does not resolve",
    check: "dns",
    text: /konnectivity\.invalid cannot be resolved: /,
    made: (here) => {
      here.agent["proxy-server-host"] = "konnectivity.invalid";
      return agent(here, "--timeout=3s");
    },
  },
  {
    what: "a server that is not there",
    check: "reach",
    text: /it cannot be reached: .*ECONNREFUSED/,
    made: (here) => agent(here),
  },
  {
    what: "an agent whose certificate the server does not take",
    check: "reach",
    text: /it is reached and ends the connection behind the handshake: it refuses the certificate of this agent/,
    made: async (here) => {
      await using _server = await startServer(here.flagsOf("server"));
      const { client } = await makeTestCertificates("a stranger's CA");
      here.agent["agent-cert"] = await here.write("stranger.crt", client.certPem);
      here.agent["agent-key"] = await here.write("stranger.key", client.keyPem);
      return await agent(here);
    },
  },
  {
    what: "an agent that does not trust the server that it reaches",
    check: "reach",
    text: /it is reached, and its certificate is not taken: .*stranger\.crt \(--ca-cert\) is to hold the CA/,
    made: async (here) => {
      await using _server = await startServer(here.flagsOf("server"));
      const { ca } = await makeTestCertificates("a stranger's CA");
      here.agent["ca-cert"] = await here.write("stranger.crt", ca.certPem);
      return await agent(here);
    },
  },
  {
    what: "a proxy that is no URL",
    check: "reach",
    text: /^HTTPS_PROXY must be a URL .*: mend the variable/,
    made: (here) => {
      here.env["HTTPS_PROXY"] = "socks5://proxy.example:1080";
      return agent(here);
    },
  },
  {
    what: "a proxy that does not lead to the server",
    check: "reach",
    text: /cannot be reached through the proxy http:\/\/127\.0\.0\.1:\d+: .*502/,
    made: async (here) => {
      await using proxy = await startConnectProxy({ targets: {} });
      here.env["HTTPS_PROXY"] = `http://127.0.0.1:${proxy.port}`;
      here.agent["proxy-server-host"] = "konnectivity.example";
      return await agent(here);
    },
  },
  {
    what: "a memory limit as the original's manifests have it",
    check: "memory",
    text: /memory limit is 30 MiB, and 40 MiB are needed under load: raise it to 64Mi or more/,
    made: (here) => pod(here, "agent", { container: { resources: { limits: { memory: "30Mi" } } } }),
  },
  {
    what: "a memory limit for one worker where there are four",
    check: "memory",
    text: /memory limit is 64 MiB, and 130 MiB are needed under load by 4 workers/,
    made: (here) => {
      here.server["workers"] = "4";
      return pod(here, "server", { container: { resources: { limits: { memory: "64Mi" } } } });
    },
  },
  {
    what: "an empty volume over what the image remembers, with little memory",
    check: "memory",
    text: /an empty volume hides \/cache of the image/,
    made: (here) =>
      pod(here, "agent", {
        pod: { volumes: [{ name: "files", hostPath: { path: here.folder } }, { name: "c", emptyDir: {} }] },
        container: {
          resources: { limits: { memory: "48Mi" } },
          volumeMounts: [{ name: "files", mountPath: here.folder }, { name: "c", mountPath: "/cache" }],
        },
      }),
  },
  {
    what: "a limit of open files that leaves nothing for tunnels",
    check: "descriptors",
    text: /^64 files may be open: hardly one tunnel; raise the hard limit/,
    made: (here) => {
      here.env["KONNECTIVITY_MAX_FDS"] = "64";
      return server(here);
    },
  },
  {
    what: "an admin port where nothing listens",
    check: "status",
    text: /^nothing listens at 127\.0\.0\.1:\d+: name the admin port/,
    made: (here) => here.check("--admin", `127.0.0.1:${here.server["admin-port"]}`),
  },
  {
    what: "a server that runs without agents",
    check: "status",
    text: /^none is connected, every dial fails: look at an agent/,
    made: async (here) => {
      await using _server = await startServer(here.flagsOf("server"));
      return await here.check("--admin", `127.0.0.1:${here.server["admin-port"]}`);
    },
  },
];
