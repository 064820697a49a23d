import { leakTest } from "../support/assert/leak_free.ts";
import { endsUploads } from "./upload_ends.ts";

/** One end in some sixty was lost: in so many rounds one at least, nineteen times of twenty. */
const rounds = 24;

leakTest("the end of each of many uploads at once over HTTP CONNECT with TLS reaches its destination", async () => {
  await endsUploads(rounds);
});
