import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

/** How long a step in the browser may take on a busy machine, in milliseconds. */
const patienceMs = 120_000;

/** Debian's browser, or the one that `CHROMIUM` names. */
export function chromiumPath(): string {
  return Deno.env.get("CHROMIUM") ?? "/usr/bin/chromium";
}

/** A page that is looked at, with what its browser complained about. */
export interface Watched {
  readonly page: Page;
  /** Errors and violations of the page's policy, as the console shows them. */
  readonly complaints: readonly string[];
}

/** A browser without a window. Disposing of it ends it. */
export class TestBrowser implements AsyncDisposable {
  readonly #browser: Browser;

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  static async open(): Promise<TestBrowser> {
    // The browser's own sandbox needs what containers do not grant; it opens nothing but the project's own page.
    const args = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"];
    return new TestBrowser(await chromium.launch({ executablePath: chromiumPath(), args, timeout: patienceMs }));
  }

  /** Opens a tab, which looks at nothing yet. */
  async tab(options: BrowserContextOptions = {}): Promise<Watched> {
    const context = await this.#browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(patienceMs);
    const complaints: string[] = [];
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(String(error)));
    return { page, complaints };
  }

  /** Closes all tabs. */
  async clear(): Promise<void> {
    for (const context of this.#browser.contexts()) {
      // A test's own answers to requests that are on their way have nobody to go to any more.
      for (const page of context.pages()) await page.unrouteAll({ behavior: "ignoreErrors" });
      await context.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.clear();
    await this.#browser.close();
  }
}
