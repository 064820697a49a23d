import { by, certificateFaults, type PromisingDocument } from "./promise.ts";

/** What README.md promises. */
export const readme: PromisingDocument = {
  path: "README.md",
  chapters: ["Why this one", "Flags and metrics"],
  promises: [
    {
      says: "a client that stops reading holds back its own tunnel and nothing else.",
      shownBy: [
        by(
          "tests/spec/transfers_test.ts",
          "…: a client that does not read at all leaves its neighbours alone, and little is held for it",
          "…: a large copy through a slow reader arrives whole, and its neighbour goes on",
        ),
        by("tests/spec/readme_figures_test.ts", "the README's figures are those of BENCHMARKS.md"),
      ],
    },
    {
      says: "**More bytes for less CPU**",
      shownBy: [by("tests/spec/readme_figures_test.ts", "the README's figures are those of BENCHMARKS.md")],
    },
    {
      says: "**Memory stays bounded**, by the container's limit where it has one",
      shownBy: [
        by(
          "tests/e2e/process_memory_test.ts",
          "… with … MiB moves … times 4 MB at once, both ways, and nothing is lost or killed (…)",
        ),
        by("tests/e2e/faults/memory_long_test.ts", "server and agent have 100 MiB each, and many move bytes at once"),
      ],
    },
    {
      says: "What a peer sends ends at most its own tunnel, stream or connection, and so does a fault of our own.",
      shownBy: [
        by("tests/e2e/process_hostile_test.ts", "…: what strangers do at any port ends no process and no tunnel"),
        by(
          "tests/fuzz/fuzz_test.ts",
          "a fuzz of some seconds ends no program, stalls no tunnel and stops no health page",
        ),
        by("tests/owned_test.ts", "every callback of the runtime has an owner, or a reason to have none"),
      ],
    },
    {
      says: "**Certificates, keys and CAs are followed as they change**",
      shownBy: [
        by(
          "tests/e2e/process_files_test.ts",
          "certificates that are replaced on disk are shown to new connections, and open tunnels go on",
        ),
        ...certificateFaults,
      ],
    },
    {
      says: "every program runs under exactly the permissions that its flags need.",
      shownBy: [
        by(
          "src/programs/permissions/permissions_sandbox_test.ts",
          "a server may listen on its own ports and read its certificates; it may dial nobody else",
          "an agent for any destination may dial anyone, yet read and write no more",
        ),
        by(
          "tests/e2e/launcher_test.ts",
          "a launcher becomes its program, with the permissions of its command line and no others",
        ),
      ],
    },
    {
      says: "the original's metrics by name",
      shownBy: [
        by(
          "tests/original/metrics_test.ts",
          "every metric that the original declares is declared here, with its type, labels and help",
        ),
        by(
          "tests/kube/monitoring_test.ts",
          "each alert says how bad it is, what it is, and which chapter of the runbook tells what to do",
        ),
      ],
    },
    {
      says: "The original's flags work as they are",
      shownBy: [
        by(
          "src/programs/original_flags_test.ts",
          "… has every flag that was recorded from the original, with its type and default, or a reason",
          "the two programs' defaults differ from the original's in these flags alone",
        ),
      ],
    },
    {
      says: "SIGTERM drains",
      shownBy: [
        by(
          "tests/e2e/process_test.ts",
          "…: SIGTERM with open tunnels refuses new ones, lets these finish, and ends with 0",
          "tunnels that outlive the grace are ended, and their server ends with 0",
        ),
      ],
    },
  ],
  others: {
    "Figures with": "says how the figures are to be read",
    "![The page": "is an image",
  },
};
