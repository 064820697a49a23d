import assert from "node:assert/strict";
import { established, sendConnect } from "../conformance/raw_connect.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { Stack } from "../support/in_process/stack.ts";
import { until } from "../support/assert/until.ts";

for (const protocol of ["auto", "grpc"]) {
  leakTest(
    `--link-protocol=${protocol}: an agent with --max-link-age renews its link, and a tunnel stays`,
    async () => {
      await using stack = await Stack.open();
      const { server, agent } = await stack.pair("connect-uds", [`--link-protocol=${protocol}`], ["--max-link-age=1s"]);
      await using echo = await echoDestination();
      await using open = await sendConnect({ ...server, certificates: stack.certificates }, echo.address, "one");
      assert.equal(await open.take(established.length + 3), `${established}one`);
      const [first] = server.running.server.pool.all();
      for (let renewals = 0; renewals < 3; renewals++) {
        const before = new Set(server.running.server.pool.all());
        await until(
          "there is a new link",
          () => [...server.running.server.pool.all()].some((link) => !before.has(link)),
        );
        assert.equal(agent.agent.serverConnections, 1);
      }
      assert.ok(first !== undefined && [...server.running.server.pool.all()].includes(first));
      assert.equal(first.draining, true);
      open.write("two");
      assert.equal(await open.take(3), "two");
      await using later = await sendConnect({ ...server, certificates: stack.certificates }, echo.address, "three");
      assert.equal(await later.take(established.length + 5), `${established}three`);
      assert.equal(first.tunnelCount, 1);
    },
  );
}

leakTest("a server with --max-link-age ends links, and their agents come back", async () => {
  await using stack = await Stack.open();
  const { server, agent } = await stack.pair("connect-uds", ["--max-link-age=1s"]);
  await using echo = await echoDestination();
  for (let ends = 0; ends < 2; ends++) {
    const [link] = server.running.server.pool.all();
    await until(
      "the link has ended",
      () => ![...server.running.server.pool.all()].includes(link as typeof link & object),
    );
    await until("the agent is back", () => agent.agent.ready && server.running.server.pool.size === 1);
  }
  await until("a dial goes through", async () => {
    try {
      await using open = await sendConnect({ ...server, certificates: stack.certificates }, echo.address, "one");
      return await open.take(established.length + 3) === `${established}one`;
    } catch {
      // Between two links.
      return false;
    }
  });
});
