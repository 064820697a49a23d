/// <reference lib="dom" />
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import type { ServerStatus } from "../../src/ops/status/server_status.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { httpGet } from "../support/processes/processes.ts";
import { openEcho, PageWorld } from "./page_world.ts";
import { column, opened, showsTunnel, tabs } from "./page_tabs.ts";

/** How light the ground of a page is, from 0 to 255. */
async function lightness(page: Page): Promise<number> {
  const color = await page.locator("body").evaluate((body) => getComputedStyle(body).backgroundColor);
  const parts = [...color.matchAll(/\d+/g)].map(([digits]) => Number(digits)).slice(0, 3);
  return parts.reduce((sum, part) => sum + part, 0) / 3;
}

async function scrollsSideways(page: Page): Promise<boolean> {
  return await page.locator("html").evaluate((html) => html.scrollWidth > html.clientWidth);
}

/** Presses the Tab key until the focus is where it is wanted. */
async function tabTo(page: Page, selector: string): Promise<void> {
  const target = page.locator(selector);
  for (let presses = 0; presses < 60; presses++) {
    await page.keyboard.press("Tab");
    if (await target.evaluate((element) => element === element.ownerDocument.activeElement)) return;
  }
  assert.fail(`sixty times Tab did not lead to ${selector}`);
}

leakTest(
  "the page shows agents, and a tunnel for as long as it is open, without a complaint of the browser: --workers=2",
  () => showsTunnel("--workers=2"),
);

leakTest(
  "the page is dark where people want it so, fits on a phone, and says something without its script",
  async () => {
    await using browser = tabs();
    await using world = await PageWorld.open("--server-id=a-server-with-a-name-as-long-as-some-of-them-are.example");
    await using echo = await openEcho("127.0.0.1", 0);
    const agent = await world.agent("an-agent-with-a-name-as-long-as-some-of-them-are.node.example");
    await world.dial(echo.address);
    const phone = { width: 360, height: 740 };
    const light = await browser.tab({ viewport: phone, colorScheme: "light" });
    const dark = await browser.tab({ viewport: phone, colorScheme: "dark" });
    for (const { page } of [light, dark]) {
      await opened(page, world.url);
      await page.locator("#tunnels tbody tr").waitFor();
      assert.equal(await scrollsSideways(page), false);
    }
    assert.ok(await lightness(light.page) > 200);
    assert.ok(await lightness(dark.page) < 60);

    const plain = await browser.tab({ viewport: phone, javaScriptEnabled: false });
    await plain.page.goto(world.url);
    await plain.page.getByText("What needs attention").waitFor();
    await plain.page.locator("td", { hasText: echo.address }).first().waitFor();

    const adminPort = agent.admin?.port;
    assert.ok(adminPort);
    await opened(light.page, `http://127.0.0.1:${adminPort}/`);
    await light.page.locator("#links tbody tr").waitFor();
    await light.page.locator("#routes tbody tr", { hasText: "linked" }).waitFor();
    await light.page.locator("#tunnels tbody tr", { hasText: echo.address }).waitFor();
    assert.equal(await scrollsSideways(light.page), false);
    assert.match(await light.page.title(), /^● 1 server - an-agent/);
    for (const { complaints } of [light, dark]) assert.deepEqual(complaints, []);
  },
);

leakTest("the page comes back by itself when the server does, and lives without events", async () => {
  await using world = await PageWorld.open("--server-id=server-1");
  await using browser = tabs();
  await using echo = await openEcho("127.0.0.1", 0);
  await world.agent("agent-a");
  const [one, other] = [await browser.tab(), await browser.tab()];
  await other.page.route("**/events", (route) => route.fulfill({ status: 503, body: "no room" }));
  for (const { page } of [one, other]) await opened(page, world.url);
  await one.page.locator("#connection", { hasText: /^Live$/ }).waitFor();
  await other.page.locator("#connection", { hasText: "every 2 seconds" }).waitFor();
  await until("both see the agent", async () => {
    const titles = [await one.page.title(), await other.page.title()];
    return titles.every((title) => title === "● 1 agent - server-1");
  });

  await world.killServer();
  for (const { page } of [one, other]) {
    await page.locator("#connection", { hasText: "No answer" }).waitFor();
    await until("the title says so", async () => (await page.title()) === "✕ no answer - server-1");
  }
  await world.startServer();
  await world.server.ready();
  await one.page.locator("#connection", { hasText: /^Live$/ }).waitFor();
  await other.page.locator("#connection", { hasText: "every 2 seconds" }).waitFor();
  await world.dial(echo.address);
  for (const { page } of [one, other]) {
    await page.locator("#agents tbody tr", { hasText: "agent-a" }).waitFor();
    await page.locator("#tunnels tbody tr", { hasText: echo.address }).waitFor();
  }
});

leakTest("a tab that nobody sees asks for nothing, and shows what is new once it is seen", async () => {
  await using world = await PageWorld.open();
  await using browser = tabs();
  const { page } = await browser.tab();
  await page.clock.install();
  await opened(page, world.url);
  let asked = 0;
  page.on("request", () => asked++);
  const become = (state: string) =>
    page.evaluate((state) => {
      Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
      document.dispatchEvent(new Event("visibilitychange"));
    }, state);
  await page.clock.runFor(5_000);
  await until("it polls", () => asked > 0);
  await become("hidden");
  // What was asked for before has its answer.
  await page.waitForLoadState("networkidle");
  const before = asked;
  for (let minute = 0; minute < 10; minute++) await page.clock.runFor(60_000);
  assert.equal(asked, before);
  await world.agent("agent-late");
  await become("visible");
  await page.locator("#agents tbody tr", { hasText: "agent-late" }).waitFor();
});

leakTest("thousands of agents and tunnels are some dozen rows, in pages", async () => {
  await using world = await PageWorld.open();
  await using browser = tabs();
  await world.agent("agent-a");
  const { page, complaints } = await browser.tab();
  // The server's own answer, with more of what is in it.
  const answer = JSON.parse((await httpGet(world.server.adminPort, "/status")).body) as ServerStatus;
  const [agent] = answer.agents.items;
  await page.route("**/status?*", async (route) => {
    const from = Number(new URL(route.request().url()).searchParams.get("agents_from"));
    const items = Array.from({ length: Math.min(1_000, 2_500 - from) }, (_, at) => ({
      ...(agent ?? assert.fail("there is no agent")),
      id: `agent-${String(from + at).padStart(4, "0")}`,
    }));
    await route.fulfill({ json: { ...answer, agents: { total: 2_500, matched: 2_500, from, items } } });
  });
  await opened(page, world.url);
  await page.locator("#agents h2", { hasText: "2,500" }).waitFor();
  assert.equal(await page.locator("#agents tbody tr").count(), 50);
  await page.locator("#agents th button", { hasText: "Agent" }).click();
  await page.locator("#agents th button", { hasText: "Agent" }).click();
  await until("the last is first", async () => (await column(page, "agents", "Agent"))[0] === "agent-2499");
  await page.locator("#agents .pager button", { hasText: "Next" }).click();
  await until("the next page is there", async () => (await column(page, "agents", "Agent"))[0] === "agent-2449");
  assert.equal(await page.locator("#agents tbody tr").count(), 50);
  assert.ok(await page.locator("#map .node").count() < 30);
  assert.deepEqual(complaints, []);
});

leakTest("sorting and filtering work by the keyboard alone", async () => {
  await using world = await PageWorld.open();
  await using browser = tabs();
  for (const id of ["agent-b", "agent-c", "agent-a"]) await world.agent(id);
  const { page, complaints } = await browser.tab();
  await opened(page, world.url);
  await until("all agents are there", async () => (await column(page, "agents", "Agent")).length === 3);

  await tabTo(page, "#agents input");
  await page.keyboard.type("agent-b");
  await until("the others are gone", async () => (await column(page, "agents", "Agent")).join() === "agent-b");
  for (let at = 0; at < "agent-b".length; at++) await page.keyboard.press("Backspace");
  await until("they are back", async () => (await column(page, "agents", "Agent")).length === 3);

  await tabTo(page, "#agents th:first-child button");
  const head = page.locator("#agents th:first-child");
  await page.keyboard.press("Enter");
  assert.equal(await head.getAttribute("aria-sort"), "ascending");
  assert.deepEqual(await column(page, "agents", "Agent"), ["agent-a", "agent-b", "agent-c"]);
  await page.keyboard.press("Space");
  assert.equal(await head.getAttribute("aria-sort"), "descending");
  assert.deepEqual(await column(page, "agents", "Agent"), ["agent-c", "agent-b", "agent-a"]);
  assert.equal(await page.locator("#agents th[aria-sort]").count(), 1);
  const outline = await page.locator("#agents th:first-child button").evaluate((button) =>
    getComputedStyle(button).outlineStyle
  );
  assert.notEqual(outline, "none", "the focus is to be seen");

  // From an agent to its tunnels.
  await tabTo(page, "#agents tbody tr:first-child button");
  await page.keyboard.press("Enter");
  await until(
    "the tunnels are those of one agent",
    async () => await page.locator('#tunnels input[data-filter="agent"]').inputValue() === "agent-c",
  );
  assert.deepEqual(complaints, []);
});
