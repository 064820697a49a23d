/** Something that the original starts with, well or badly, and that a program of ours refuses. */
export interface Refusal {
  readonly program: "proxy-server" | "proxy-agent";
  /** What is refused, a clause for help and documents. */
  readonly what: string;
  /** What the original does with it. */
  readonly original: string;
  readonly why: string;
  /** What to write instead. */
  readonly instead: string;
  /** Flags behind sound ones that are refused for it; absent where the refusal is no matter of flags. */
  readonly example?: readonly string[];
  /** A part of the message that says so, where there is an example: by it the row is found. */
  readonly says?: string;
}

const server = "proxy-server";
const agent = "proxy-agent";

/** Everything of that kind: `--help` lists it in short, docs/migration.md as a whole. */
export const refusals: readonly Refusal[] = [
  {
    program: server,
    what: "agents without any authentication",
    original: "starts; whoever reaches the agent port receives clients' connections",
    why: "CVE-2026-16242 was reported against a distribution whose server ran so",
    instead: "`--cluster-ca-cert`, or the three flags of token authentication, or `--allow-unauthenticated-agents`",
    example: ["--cluster-ca-cert="],
    says: "agents would not be authenticated",
  },
  {
    program: server,
    what: "--cipher-suites of which none is to be had",
    original: "starts with its suites of CBC",
    why:
      "the runtime has none of these; where others are listed beside them, a warning says so and the others are used",
    instead: "add suites with GCM or CHACHA20",
    example: ["--cipher-suites=TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"],
    says: "no suite of --cipher-suites is available",
  },
  {
    program: server,
    what: "two of its ports at one address",
    original: "starts; one of the two is never open, and the log says so",
    why: "nobody can know which of them answers",
    instead: "give each a port of its own",
    example: ["--admin-port=8092", "--admin-bind-address="],
    says: "must not both be",
  },
  {
    program: server,
    what: "a port for clients or agents that cannot be opened",
    original: "ends as well, but for HTTP CONNECT over TCP, where it runs on without clients",
    why: "a server that nobody can reach looks alive",
    instead: "free the port; a health or admin port is waited for",
  },
  {
    program: server,
    what: "a negative time between pings",
    original: "starts, and serves",
    why: "it says nothing, and 0 means never",
    instead: "0, or a time",
    example: ["--keepalive-time=-1s"],
    says: "keepalive-time must be >= 0",
  },
  {
    program: server,
    what: "--server-count below 1",
    original: "starts; an agent holds one link",
    why: "agents hold a link to each of so many servers",
    instead: "how many servers there are",
    example: ["--server-count=0"],
    says: "--server-count must be",
  },
  {
    program: server,
    what: "an empty --lease-namespace with the lease controller",
    original: "starts; no lease can be made without a namespace",
    why: "agents that count leases would never find it",
    instead: "the namespace that agents look in",
    example: ["--enable-lease-controller", "--lease-namespace="],
    says: "--lease-namespace cannot be empty",
  },
  {
    program: server,
    what: "a --server-id that is not printable ASCII",
    original: "starts; no agent can connect",
    why: "it travels in a header",
    instead: "letters, digits and signs of ASCII",
    example: ["--server-id=\u00fcber"],
    says: "--server-id must be printable ASCII",
  },
  {
    program: server,
    what: "a file that is there and cannot be read",
    original: "passes its checks, and ends later where it needs the file",
    why: "the message names the flag",
    instead: "let the program's user read it",
  },
  {
    program: agent,
    what: "an interval of 0 or less",
    original: "starts, and loops without a pause, which costs half a processor or more",
    why: "nobody means that",
    instead: "a time above 0",
    example: ["--probe-interval=0s"],
    says: "-interval must be greater than 0",
  },
  {
    program: agent,
    what: "a negative time between pings",
    original: "starts, and pings every 10 s",
    why: "it says nothing, and 0 means never",
    instead: "0, or a time",
    example: ["--keepalive-time=-1s"],
    says: "keepalive-time must be >= 0",
  },
  {
    program: agent,
    what: "health and admin at one port of one address, or a port above 65535",
    original: "starts; such a port is never open, and the log says so",
    why: "nobody can know which of them answers",
    instead: "give each a port of its own",
    example: ["--admin-server-port=8093", "--admin-bind-address="],
    says: "must not both be",
  },
  {
    program: agent,
    what: "an --agent-id that is not printable ASCII",
    original: "starts, and never connects",
    why: "it travels in a header",
    instead: "letters, digits and signs of ASCII",
    example: ["--agent-id=\u00fcber"],
    says: "--agent-id must be printable ASCII",
  },
  {
    program: agent,
    what: "a protocol of --alpn-proto without a name, or with one beyond 255 bytes",
    original: "starts, and never connects",
    why: "TLS has no place for it",
    instead: "the name that the balancer matches",
    example: ["--alpn-proto=,h3"],
    says: "--alpn-proto: ",
  },
  {
    program: agent,
    what: "a proxy in HTTPS_PROXY that makes no URL",
    original: "starts, and connects directly",
    why: "who names a proxy wants no other way",
    instead: "`http://HOST:PORT` or `https://HOST:PORT`",
  },
  {
    program: agent,
    what: "a file that is there and cannot be read",
    original: "passes its checks, and ends later where it needs the file",
    why: "the message names the flag",
    instead: "let the program's user read it",
  },
];

/** The row of a refusal, by the message that a program refuses to start with; undefined: the original refuses it as well. */
export function refusalOf(program: Refusal["program"], message: string): Refusal | undefined {
  return refusals.find((each) => each.program === program && each.says !== undefined && message.includes(each.says));
}

/** What a program refuses, as its `--help` says it. */
export function refusedBy(program: Refusal["program"]): string[] {
  return refusals.filter((each) => each.program === program).map(({ what }) => what);
}
