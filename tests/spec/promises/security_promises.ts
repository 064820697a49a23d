import { by, certificateFaults, type PromisingDocument } from "./promise.ts";

const launcherEnvironment = by(
  "tests/e2e/process_trust_test.ts",
  "a launcher hands its program nothing of the environment that changes what the runtime trusts or does",
);

/** What SECURITY.md promises. */
export const security: PromisingDocument = {
  path: "SECURITY.md",
  chapters: [
    "Who is trusted with what",
    "What rotation cuts, and what it does not",
    "Destinations",
    "Profiling",
    "A proxy on the way out",
    "Environment variables",
  ],
  promises: [
    {
      says: "Clients and agents are told apart by who issued their certificates, not by what is in them.",
      shownBy: [
        by(
          "tests/conformance/tls_resumption_test.ts",
          "…: a session of one listener gets nobody into another, nor back into its own",
        ),
        by("tests/e2e/process_identity_test.ts", "…: only certificates with an allowed name are clients"),
      ],
    },
    {
      says: "A verdict is kept for two minutes, a refusal for ten seconds.",
      shownBy: [
        by(
          "src/kube/tokens/token_verdicts_test.ts",
          "a good token is asked for once in a while, and again when it is old",
          "a bad token is not asked for again for a short time",
        ),
      ],
    },
    {
      says: "`--require-agent-cert-and-token` asks for both.",
      shownBy: [
        by(
          "tests/kube/agent_tokens_test.ts",
          "where certificate and token are asked for, neither is enough: the refusals have the codes of what is missing",
        ),
      ],
    },
    {
      says: "sessions of TLS are never resumed, so that a removed CA and a certificate that has ended bring nobody in.",
      shownBy: [
        by(
          "tests/conformance/tls_resumption_test.ts",
          "a session from before a CA was removed, or its certificate's end, gets nobody in",
        ),
      ],
    },
    {
      says: "What is connected stays connected by default",
      shownBy: [
        by(
          "tests/spec/certificates_test.ts",
          "a new authority of clients is taken without a restart: its clients come in, the old one's do not, open tunnels go on",
        ),
      ],
    },
    {
      says: "`--close-revoked` on the server closes a client's or agent's connection",
      shownBy: [
        by(
          "src/net/tls/trusted_connections_test.ts",
          "…: with --close-revoked connections end with the trust in their CA, and others do not",
          "with --close-revoked a connection ends when its certificate does",
        ),
      ],
    },
    {
      says: "Given to agents it costs no tunnel",
      shownBy: [
        by(
          "tests/spec/link_age_test.ts",
          "…: an agent with --max-link-age renews its link, and a tunnel stays",
          "a server with --max-link-age ends links, and their agents come back",
        ),
      ],
    },
    {
      says: "a link that still carries tunnels is cut at twice that age.",
      shownBy: [
        by(
          "src/server/link_age_test.ts",
          "at twice its age a link is closed with what is on it, and the clients are told",
        ),
      ],
    },
    {
      says: "A set of files that is broken or half written changes nothing, and is logged.",
      shownBy: [
        ...certificateFaults,
        by(
          "src/net/tls/tls_watch_test.ts",
          "a set that is broken, half written or gone leaves the last good one in use",
        ),
      ],
    },
    {
      says: "each dial is judged by the addresses that its name leads to.",
      shownBy: [
        by(
          "tests/e2e/reach_test.ts",
          "--destinations and --deny-destinations decide about addresses and what names resolve to",
          "a server passes on what its lists and its client's own allow: …",
        ),
      ],
    },
    {
      says: "everything but its own ports, its servers' port for agents and link-local addresses.",
      shownBy: [
        by(
          "tests/e2e/reach_test.ts",
          "no client reaches the agent's own ports and heap through its tunnel, in no form: …",
          "an agent is no way to its servers' agent port, and none to link-local addresses",
        ),
      ],
    },
    {
      says: "The sandbox is a second wall where all entries are addresses",
      shownBy: [
        by(
          "tests/e2e/reach_test.ts",
          "where the sandbox narrows an agent to its --destinations, it is what they say all the same",
        ),
        by(
          "src/programs/permissions/permissions_sandbox_test.ts",
          "an agent with destinations may dial its server and these, listen on its own ports, read its token",
        ),
      ],
    },
    {
      says: "The admin port on a loopback address answers requests for a loopback name alone",
      shownBy: [
        by(
          "src/ops/profiling_test.ts",
          "on a loopback address a request that was made to another host gets no profile: DNS rebinding",
          "heap snapshots are served only where they are enabled, and the index has them only there",
        ),
      ],
    },
    {
      says: "an agent reaches its servers through it or not at all",
      shownBy: [
        by(
          "tests/e2e/environment_proxy_test.ts",
          "with a proxy that refuses, or none there, an agent is not ready and dials nobody else",
        ),
        by(
          "src/kube/client/api_proxy_test.ts",
          "calls go through the proxy of the environment, and of the kubeconfig before that",
        ),
      ],
    },
    {
      says: "A value that cannot be used ends the start with a message.",
      shownBy: [
        by(
          "tests/e2e/environment_proxy_test.ts",
          "an agent does not start with a proxy that it cannot use, and says which variable names it",
        ),
      ],
    },
    {
      says: "They reach no log.",
      shownBy: [
        by(
          "src/dial/proxy/proxy_tunnel_test.ts",
          "an https:// proxy whose certificate the runtime's roots do not know is told nothing",
          "whatever a proxy does but connect is an error that names it, and neither user nor password",
          "a reason that repeats user or password, in whatever form, is left out",
        ),
      ],
    },
    {
      says: "it refuses dials to a server's port for agents by the server's name alone.",
      shownBy: [
        by(
          "src/dial/proxy/proxy_tunnel_test.ts",
          "TLS is made with the server behind a proxy, which alone resolves the name",
        ),
        by(
          "src/agent/dial_guard_test.ts",
          "the servers' port for agents is refused by name, by address, and at this machine where a server is",
        ),
      ],
    },
    { says: "drop every variable named `DENO_*` or `NODE_*`, and `SSLKEYLOGFILE`", shownBy: [launcherEnvironment] },
    {
      says: "turn off checks of certificates; no connection of ours heeds it",
      shownBy: [
        launcherEnvironment,
        by(
          "tests/e2e/process_trust_test.ts",
          "NODE_TLS_REJECT_UNAUTHORIZED=0 lets no impostor be an agent's server",
          "NODE_TLS_REJECT_UNAUTHORIZED=0 lets no impostor be a client's proxy",
          "NODE_TLS_REJECT_UNAUTHORIZED=0 lets no impostor be the Kubernetes API of a server or an agent",
        ),
      ],
    },
  ],
  others: {
    "| who ": "says what each may do, from whom nothing is kept",
    "**No CRL and no OCSP.**": "says what is not looked at",
    "- A denied name": "says what a list does not do",
    "- Not seen": "says what is not seen",

    "- Other ports": "says what may be reached",
  },
};
