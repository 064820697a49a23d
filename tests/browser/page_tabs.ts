import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { until } from "../support/assert/until.ts";
import { Conversation } from "../support/in_process/conversation.ts";
import { TestBrowser } from "./browser.ts";
import { openEcho, PageWorld } from "./page_world.ts";

/** One for all tests: its start takes seconds of a processor. */
let shared: TestBrowser | undefined;

Deno.test.beforeAll(async () => {
  shared = await TestBrowser.open();
});
Deno.test.afterAll(async () => await shared?.[Symbol.asyncDispose]());

/** Tabs of a test alone, which share nothing with those of another. */
export function tabs(): Pick<TestBrowser, "tab"> & AsyncDisposable {
  const browser = shared ?? assert.fail("there is no browser");
  return { tab: (options) => browser.tab(options), [Symbol.asyncDispose]: () => browser.clear() };
}

/** Waits until the script has taken the summary's place. */
export async function opened(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await page.locator("#live").waitFor({ state: "visible" });
}

/** Texts of a column of a table, from its rows in their order. */
export function column(page: Page, table: string, title: string): Promise<string[]> {
  return page.locator(`#${table} tbody td[data-title="${title}"]`).allTextContents();
}

/** The page shows agents, and a tunnel for as long as it is open, without a complaint of the browser. */
export async function showsTunnel(...flags: readonly string[]): Promise<void> {
  await using browser = tabs();
  await using world = await PageWorld.open("--server-id=server-1", ...flags);
  await using echo = await openEcho("127.0.0.1", 0);
  await world.agent("agent-a");
  const { page, complaints } = await browser.tab();
  await opened(page, world.url);
  await page.locator("#agents tbody tr", { hasText: "agent-a" }).first().waitFor();
  await page.locator("#connection", { hasText: /^Live$/ }).waitFor();
  assert.equal(await page.title(), "● 1 agent - server-1");
  assert.equal(await page.locator("#summary").count(), 0);

  const tunnel = await world.dial(echo.address);
  assert.equal(await new Conversation(tunnel).ask("hello"), "hello");
  await page.locator("#tunnels tbody tr", { hasText: echo.address }).waitFor();
  await page.locator("#feed li", { hasText: "tunnel opened" }).waitFor();
  await page.locator("#map .node", { hasText: echo.address }).waitFor();
  await tunnel.close();
  await page.locator("#tunnels tbody tr", { hasText: echo.address }).waitFor({ state: "detached" });
  await page.locator("#feed li", { hasText: "tunnel closed" }).waitFor();

  await world.agent("agent-b");
  await until("the title counts it", async () => (await page.title()).startsWith("● 2 agents"));
  assert.deepEqual(complaints, []);
}
