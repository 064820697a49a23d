/// <reference lib="dom" />
import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { PageWorld } from "./page_world.ts";
import { column, opened, showsTunnel, tabs } from "./page_tabs.ts";

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
  "the page shows agents, and a tunnel for as long as it is open, without a complaint of the browser: no workers",
  () => showsTunnel(),
);

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

leakTest("names that are HTML stay text, wherever they are shown", async () => {
  const name = '<img src=x onerror="globalThis.hacked=1">';
  await using world = await PageWorld.open();
  await using browser = tabs();
  await world.agent(name);
  const host = name.replaceAll(" ", "/");
  await assert.rejects(world.dial(`${host}:80`));
  const { page, complaints } = await browser.tab();
  const plain = await browser.tab({ javaScriptEnabled: false });
  await plain.page.goto(world.url);
  await plain.page.locator("td", { hasText: name }).first().waitFor();
  assert.equal(await plain.page.locator("img").count(), 0);

  await opened(page, world.url);
  await page.locator("#agents tbody tr", { hasText: name }).waitFor();
  await page.locator("#failures tbody tr", { hasText: host }).waitFor();
  await page.locator("#map .node", { hasText: "<img" }).waitFor();
  // An event brings both names, too.
  await page.locator("#connection", { hasText: /^Live$/ }).waitFor();
  await assert.rejects(world.dial(`${host}:81`));
  await page.locator("#feed li", { hasText: `${host}:81` }).waitFor();
  assert.equal(await page.locator("img").count(), 0);
  assert.equal(await page.evaluate(() => Reflect.get(globalThis, "hacked")), undefined);
  assert.deepEqual(complaints, []);
});
