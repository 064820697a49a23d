import assert from "node:assert/strict";
import { leakTest } from "../../tests/support/assert/leak_free.ts";
import { failsAlone, runtimeFault } from "../../tests/support/assert/runtime_fault.ts";
import { spareDescriptor } from "./spare_descriptor.ts";

/** Numbers of this process's descriptors; the one that lists them is closed by then. */
function numbers(): Set<number> {
  const found = new Set<number>();
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    try {
      Deno.readLinkSync(`/proc/self/fd/${name}`);
      found.add(Number(name));
    } catch {
      // It was the one that listed them.
    }
  }
  return found;
}

leakTest("what the system is asked for is its lowest descriptor that is free, and it is given back", async () => {
  const files: Deno.FsFile[] = [];
  for (let at = 0; at < 20; at++) files.push(await Deno.open("/dev/null"));
  try {
    // Holes: the lowest of them is what is free.
    for (const file of files.splice(3, 4)) file.close();
    const taken = numbers();
    let lowest = 0;
    while (taken.has(lowest)) lowest++;
    assert.equal(spareDescriptor(), lowest);
    assert.equal(spareDescriptor(), lowest);
  } finally {
    for (const file of files) file.close();
  }
});

const counted = { file: "src/runtime/spare_descriptor.ts", then: "count what /proc/self/fd lists instead" };

runtimeFault(
  "this runtime shows a process its own descriptors only where it may do everything",
  counted,
  () => failsAlone("--allow-read", "for (const _ of Deno.readDirSync('/proc/self/fd')) break;"),
);
