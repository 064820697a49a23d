/**
 * `deno task screenshots`: the pictures of the page that the documents show, in docs/images. Everything in them is real: a
 * server behind its launcher, agents with links to it, clients and destinations.
 * @module
 */
import type { Page } from "playwright-core";
import { TestBrowser } from "./browser.ts";
import { largeScene, smallScene } from "./scenes.ts";

const folder = new URL("../../docs/images/", import.meta.url);
/** How long it runs before the picture, so that plots have something to show, in milliseconds. */
const settleMs = 70_000;

async function shot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: new URL(name, folder).pathname });
}

/** Looks at a page for a while. */
async function look(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await page.locator("#live").waitFor({ state: "visible" });
}

async function take(): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  await using browser = await TestBrowser.open();
  const size = { viewport: { width: 1200, height: 900 } };
  {
    await using scene = await smallScene();
    const light = await browser.tab(size);
    const dark = await browser.tab({ ...size, colorScheme: "dark" });
    for (const { page } of [light, dark]) await look(page, scene.world.url);
    await new Promise((resolve) => setTimeout(resolve, settleMs));
    await shot(light.page, "page-3-agents.png");
    await shot(dark.page, "page-3-agents-dark.png");
    for (const { page } of [light, dark]) await page.close();
  }
  {
    await using scene = await largeScene();
    const { page } = await browser.tab(size);
    await look(page, scene.world.url);
    await new Promise((resolve) => setTimeout(resolve, settleMs));
    await shot(page, "page-2000-agents.png");
    await page.close();
  }
}

await take();
Deno.exit(0);
