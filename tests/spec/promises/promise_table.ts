import type { PromisingDocument } from "./promise.ts";
import { readme } from "./readme_promises.ts";
import { security } from "./security_promises.ts";

/** The documents that promise something outside of the threat model, whose own lines name their tests. */
export const promisingDocuments: readonly PromisingDocument[] = [readme, security];
