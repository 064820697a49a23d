import { leakTest } from "../support/assert/leak_free.ts";
import { endsUploads } from "./upload_ends.ts";

leakTest("the end of each of some uploads at once over HTTP CONNECT with TLS reaches its destination", async () => {
  await endsUploads(4);
});
