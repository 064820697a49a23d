import { closeSync, openSync } from "node:fs";
import { spareDescriptorPath } from "./files/spare_path.ts";

/**
 * What the system says of this process' file descriptors:
 * - a number: the lowest one that is free, so that at least as many are open
 * - `exhausted`: none is free, for this process or for the whole machine
 * - `unknown`: the sandbox does not let it be asked
 */
export type SpareDescriptor = number | "exhausted" | "unknown";

/**
 * Asks the system for a descriptor and gives it back, which takes some ten microseconds. Nothing else says how many are
 * open: /proc/self is closed to programs that may not do everything (Deno 2.9.6), and no interface of the runtime counts
 * them. node:fs gives the system's own number, which is always the lowest free one (POSIX); `spare_descriptor_test.ts` fails
 * when it is another.
 */
export function spareDescriptor(): SpareDescriptor {
  try {
    const descriptor = openSync(spareDescriptorPath, "r");
    closeSync(descriptor);
    return descriptor;
  } catch (error) {
    const code: unknown = Reflect.get(Object(error), "code");
    return code === "EMFILE" || code === "ENFILE" ? "exhausted" : "unknown";
  }
}
