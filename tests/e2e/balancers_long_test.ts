import { balancersTest, livesBehindBalancers } from "./behind_balancers.ts";

await balancersTest(
  "links of both kinds live behind nginx and HAProxy as docs/balancers.md configures them",
  (t) => livesBehindBalancers(t, true),
);
