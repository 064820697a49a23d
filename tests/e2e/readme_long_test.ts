import { leakTest } from "../support/assert/leak_free.ts";
import { chapters, document, follow, refusesBeyond, ways } from "./getting_started.ts";

for (const chapter of chapters) {
  for (const [title, way] of Object.entries(ways)) {
    leakTest(
      `${document}, "${chapter.title}": the commands of a fresh checkout work word for word, ${title}`,
      () => follow(chapter, way, false),
    );
  }
}

/** Flags that ask for something that no set allows, and how the program tells that. */
const beyond: readonly (readonly [role: string, flag: string, told: RegExp])[] = [
  ["server", "--agent-port=18091", /cannot listen on :18091: the permission sandbox does not allow it, run with/],
  [
    "agent",
    "--ca-cert=/etc/hostname",
    /cannot read \/etc\/hostname: the permission sandbox does not allow it, run with/,
  ],
  [
    "test-client",
    "--proxy-port=18090",
    /cannot connect to localhost:18090: the permission sandbox does not allow it, run with --allow-net=localhost:18090/,
  ],
  [
    "test-server",
    "--server-port=18000",
    /cannot listen on 127\.0\.0\.1:18000: the permission sandbox does not allow it/,
  ],
];
for (const [role, flag, told] of beyond) {
  leakTest(`the permission set of ${role} refuses what it does not name: ${flag}`, async () => {
    await refusesBeyond(role, flag, told, false);
  });
}
