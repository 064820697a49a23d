/** A test that shows what a row promises. */
export interface ShownBy {
  readonly file: string;
  /** Its title, or the part of it that stands in the file between what is filled in; the fault's own name in `tests/e2e/faults`. */
  readonly title?: string;
}

/** What goes wrong with real processes, and what is promised for it. */
export interface Fault {
  /** Whose it is. */
  readonly process: string;
  /** A sentence. */
  readonly promise: string;
  readonly shownBy: readonly ShownBy[];
}

const linked = (file: string, ...titles: readonly string[]): readonly ShownBy[] =>
  titles.map((title) => ({ file, title }));
const own = (name: string): readonly ShownBy[] => [{ file: `tests/e2e/faults/${name}_test.ts` }];

/** All of them by their names, in the order of docs/faults.md. Each test of `tests/e2e/faults` has its row here. */
export const faults: Readonly<Record<string, Fault>> = {
  "a server is frozen for a moment": {
    process: "server",
    promise: "its tunnels and dials wait and lose nothing; those through other servers go on",
    shownBy: own("frozen_long"),
  },
  "a server is frozen for longer than its agents wait": {
    process: "server",
    promise: "its agents give their links up, and are linked again once it runs",
    shownBy: own("frozen"),
  },
  "an agent is frozen": {
    process: "agent",
    promise: "the server gives it up and dials through others; it is linked again once it runs",
    shownBy: own("frozen_long"),
  },
  "a client is frozen within a download": {
    process: "client",
    promise: "its tunnel waits and loses nothing; all others go on",
    shownBy: own("frozen_long"),
  },
  "a destination is frozen": {
    process: "destination",
    promise: "its tunnels wait and lose nothing; all others go on",
    shownBy: own("frozen_long"),
  },
  "a client is killed within a download": {
    process: "client",
    promise: "its destination is left at once; nobody else notices",
    shownBy: own("killed_long"),
  },
  "a destination is killed": {
    process: "destination",
    promise: "its tunnels end, and dials to it are refused with the reason; nobody else notices",
    shownBy: own("killed"),
  },
  "one server or agent of several is killed under load": {
    process: "server or agent",
    promise: "what was in flight on it fails and is told; whatever others can serve is served",
    shownBy: linked(
      "tests/e2e/fleet_long_test.ts",
      "a fleet of 3 servers and 4 agents serves every request that can be served, while its members are killed, drained, restarted and scaled",
    ),
  },
  "the only server is killed": {
    process: "server",
    promise: "no client waits; the agent links to the server that follows",
    shownBy: linked(
      "tests/e2e/process_test.ts",
      "…: a server that is killed leaves no client waiting, and its agent joins the one that follows",
    ),
  },
  "the only agent is killed": {
    process: "agent",
    promise: "pending dials fail with the reason, tunnels end, and /readyz says so",
    shownBy: linked(
      "tests/e2e/process_test.ts",
      "…: an agent that is killed fails pending dials with the reason, ends its tunnels, and /readyz says so",
    ),
  },
  "a worker of a server dies": {
    process: "server",
    promise: "the whole command ends, with 1 and the reason, for its supervisor to start it anew",
    shownBy: linked(
      "tests/e2e/workers_end_test.ts",
      "a worker that ends takes the command with it, with 1 and the reason",
    ),
  },
  "the ports of a server are flooded until no descriptor is left": {
    process: "server",
    promise: "it lives, keeps its agent, answers probes, and serves again",
    shownBy: [
      ...linked(
        "tests/e2e/descriptors_test.ts",
        "…: a server whose ports are flooded lives, keeps its agent, and serves again",
        "… workers: a probe is answered in time while all ports are flooded at once",
      ),
      ...linked(
        "tests/e2e/exhausted_test.ts",
        "…: /healthz says that no descriptor is left, for as long as that is so",
        "HTTP CONNECT: a client for whom no descriptor is left is told so with 503",
      ),
    ],
  },
  "more tunnels are asked for than an agent has descriptors": {
    process: "agent",
    promise: "dials are refused with the reason, and its ports answer",
    shownBy: linked(
      "tests/e2e/descriptors_test.ts",
      "…: tunnels beyond the agent's descriptors are refused with the reason, and its ports answer",
    ),
  },
  "all descriptors of a machine are taken while a server runs, and given back": {
    process: "server",
    promise:
      "new clients wait or are refused, open tunnels and the link go on; once there are some it serves as before",
    shownBy: own("descriptors"),
  },
  "all descriptors of a machine are taken while an agent runs, and given back": {
    process: "agent",
    promise: "dials are refused with the reason, open tunnels go on; once there are some it dials as before",
    shownBy: own("descriptors_long"),
  },
  "server and agent have 100 MiB each, and many move bytes at once": {
    process: "server and agent",
    promise: "neither is killed, no byte is lost, and a neighbour's requests are all served",
    shownBy: own("memory_long"),
  },
  "memory is limited to 40 or 64 MiB": {
    process: "server or agent",
    promise: "it starts, moves as many bytes as its clients ask for, and is not killed; with less it says so",
    shownBy: linked(
      "tests/e2e/process_memory_test.ts",
      "… with … MiB moves … times 4 MB at once, both ways, and nothing is lost or killed (…)",
      "an agent starts with 40 MiB where its image remembers the program, on files that it cannot change",
      "an agent starts with 64 MiB although nothing is remembered of an earlier start",
      "a launcher whose program is killed at its start says that there is too little memory",
    ),
  },
  "the disk of the audit log is full": {
    process: "server",
    promise: "nothing ends or stalls; once there is room the log goes on and says what is lost",
    shownBy: linked(
      "tests/e2e/process_audit_test.ts",
      "a full disk ends and stalls nothing; once there is room the log goes on and says what is lost",
    ),
  },
  "the disk of the log is full": {
    process: "server",
    promise: "nothing stalls, and stderr says so; once there is room the next line says how many are lost",
    shownBy: own("disk"),
  },
  "the disk of a server's certificates is full": {
    process: "server",
    promise: "a file that was cut short changes nothing; the next whole set is taken",
    shownBy: own("disk_long"),
  },
  "the clock jumps by an hour, and by two hours back": {
    process: "server and agent",
    promise: "no link is lost, no tunnel ends, and no dial fails",
    shownBy: own("clock"),
  },
  "a server's or agent's clock is wrong, with leases": {
    process: "server or agent",
    promise: "no lease of a server that lives is deleted, and agents count by the API's clock",
    shownBy: [
      ...linked(
        "src/kube/leases/lease_collector_test.ts",
        "a server whose clock is ahead leaves the leases of siblings that live, and deletes those of the dead",
      ),
      ...linked("src/kube/leases/lease_counter_test.ts", "an agent whose clock is wrong counts by the API's"),
    ],
  },
  "a name server answers nothing": {
    process: "name server",
    promise: "no dial to an address or a known name waits for it, no link and no log does",
    shownBy: linked(
      "tests/e2e/names_test.ts",
      "… names that nobody answers for hold up no dial by name, no link and no log",
    ),
  },
  "one of two name servers, or one family of addresses, is silent": {
    process: "name server",
    promise: "the other one answers",
    shownBy: linked(
      "src/dial/name_resolver_test.ts",
      "a server that fails, or is silent, leaves its place to the next one",
      "a family that nobody answers for does not hold up the other",
    ),
  },
  "a peer's machine vanishes": {
    process: "network",
    promise: "the system probes its connection within 15 s, and gives it up",
    shownBy: linked("tests/e2e/network_long_test.ts", "a peer that vanished is probed every 15 s, as with Go"),
  },
  "nginx or HAProxy between agent and server is killed, reloaded or without a server": {
    process: "balancer",
    promise: "links of both kinds live through it and come back",
    shownBy: linked(
      "tests/e2e/balancers_long_test.ts",
      "links of both kinds live behind nginx and HAProxy as docs/balancers.md configures them",
    ),
  },
  "three of a hundred packets of a link and of a destination are lost": {
    process: "network",
    promise: "tunnels are slower and lose no byte",
    shownBy: own("network_long"),
  },
  "no packet passes between a server and its agent": {
    process: "network",
    promise: "both notice, open tunnels end, and dials are refused at once; the link is back once packets pass",
    shownBy: own("network"),
  },
  "one of an agent's servers is at an address where nobody answers": {
    process: "network",
    promise: "the agent is linked to the others and serves through them",
    shownBy: own("network_long"),
  },
  "a destination is at an address where nobody answers": {
    process: "network",
    promise: "dials to it end with the reason after their time-out; all others go on",
    shownBy: own("network_long"),
  },
  "a server's certificate and key are replaced in the wrong order, in halves and by others'": {
    process: "server",
    promise: "every handshake is served with the last good set, until there is a whole new one",
    shownBy: own("certificates"),
  },
  "an agent's certificate and key are replaced in the wrong order, in halves and by others'": {
    process: "agent",
    promise: "its link goes on; the next one is made with the last good set, or the new one",
    shownBy: own("certificates_long"),
  },
  "files of certificates are replaced in every way that there is": {
    process: "server or agent",
    promise: "a whole new set is taken within 5 s and shown to new connections; open tunnels go on",
    shownBy: [
      ...linked(
        "src/net/tls/tls_watch_test.ts",
        "files that are written in place are taken",
        "files that are replaced by renaming are taken",
        "files that Kubernetes replaces by the swap of a link are taken",
        "a set that is broken, half written or gone leaves the last good one in use",
      ),
      ...linked(
        "tests/e2e/process_files_test.ts",
        "certificates that are replaced on disk are shown to new connections, and open tunnels go on",
      ),
    ],
  },
};
