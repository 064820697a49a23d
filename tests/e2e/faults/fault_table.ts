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

const own = (name: string): readonly ShownBy[] => [{ file: `tests/e2e/faults/${name}_test.ts` }];

/** All of them by their names, in the order of docs/faults.md. Each test of `tests/e2e/faults` has its row here. */
export const faults: Readonly<Record<string, Fault>> = {
  "a server is frozen for a moment": {
    process: "server",
    promise: "its tunnels and dials wait and lose nothing; those through other servers go on",
    shownBy: own("frozen"),
  },
  "a server is frozen for longer than its agents wait": {
    process: "server",
    promise: "its agents give their links up, and are linked again once it runs",
    shownBy: own("frozen"),
  },
  "an agent is frozen": {
    process: "agent",
    promise: "the server gives it up and dials through others; it is linked again once it runs",
    shownBy: own("frozen"),
  },
  "a client is frozen within a download": {
    process: "client",
    promise: "its tunnel waits and loses nothing; all others go on",
    shownBy: own("frozen"),
  },
  "a destination is frozen": {
    process: "destination",
    promise: "its tunnels wait and lose nothing; all others go on",
    shownBy: own("frozen"),
  },
  "a client is killed within a download": {
    process: "client",
    promise: "its destination is left at once; nobody else notices",
    shownBy: own("killed"),
  },
  "a destination is killed": {
    process: "destination",
    promise: "its tunnels end, and dials to it are refused with the reason; nobody else notices",
    shownBy: own("killed"),
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
    shownBy: own("descriptors"),
  },
  "the disk of the log is full": {
    process: "server",
    promise: "nothing stalls, and stderr says so; once there is room the next line says how many are lost",
    shownBy: own("disk"),
  },
  "the disk of a server's certificates is full": {
    process: "server",
    promise: "a file that was cut short changes nothing; the next whole set is taken",
    shownBy: own("disk"),
  },
  "the clock jumps by an hour, and by two hours back": {
    process: "server and agent",
    promise: "no link is lost, no tunnel ends, and no dial fails",
    shownBy: own("clock"),
  },
  "a server's certificate and key are replaced in the wrong order, in halves and by others'": {
    process: "server",
    promise: "every handshake is served with the last good set, until there is a whole new one",
    shownBy: own("certificates"),
  },
  "an agent's certificate and key are replaced in the wrong order, in halves and by others'": {
    process: "agent",
    promise: "its link goes on; the next one is made with the last good set, or the new one",
    shownBy: own("certificates"),
  },
};
