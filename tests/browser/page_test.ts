/// <reference lib="dom" />
import assert from "node:assert/strict";
import { leakTest } from "../support/assert/leak_free.ts";
import { PageWorld } from "./page_world.ts";
import { opened, showsTunnel, tabs } from "./page_tabs.ts";

leakTest(
  "the page shows agents, and a tunnel for as long as it is open, without a complaint of the browser: no workers",
  () => showsTunnel(),
);

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
