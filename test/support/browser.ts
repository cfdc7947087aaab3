/** A real browser, as Debian ships it. */
import { chromium } from "playwright-core";
import type { Browser, BrowserContext, Page } from "playwright-core";
import type { PinnedFonts } from "./fonts.ts";
import { program } from "./programs.ts";

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** @param keepsPages whether a page that is left stays alive for the way back, as it does for visitors */
export async function startBrowser(keepsPages = false): Promise<Browser> {
  const ignoreDefaultArgs = keepsPages ? ["--disable-back-forward-cache"] : [];
  return chromium.launch({ executablePath: program("chromium"), args: FLAGS, ignoreDefaultArgs });
}

/** Closes every page of every context. */
export async function closePages(browser: Browser): Promise<void> {
  await Promise.all(browser.contexts().map((context) => context.close()));
}

/** One that draws the same everywhere: with `fonts` alone, in grey and without the screen's colours. */
export async function startPainter({ env }: PinnedFonts): Promise<Browser> {
  const args = [...FLAGS, "--disable-lcd-text", "--font-render-hinting=none", "--force-color-profile=srgb"];
  return chromium.launch({ executablePath: program("chromium"), args, env: { ...process.env, ...env } });
}

/** A page that keeps every error it prints: a test ends by looking at them. */
export async function openPage(
  browser: Browser,
  url: string,
): Promise<{ readonly page: Page; readonly errors: string[]; readonly requests: string[] }> {
  const page = await browser.newPage();
  const errors: string[] = [];
  const requests: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") errors.push(message.text());
  });
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("request", (request) => requests.push(`${request.method()} ${new URL(request.url()).pathname}`));
  await page.goto(url);
  return { page, errors, requests };
}

export interface PasskeyDevice {
  /** It is lost, with every passkey that it holds. */
  remove(): Promise<void>;
}

/** A device with a screen lock, whose owner is there and unlocks it. */
export async function addPasskeyDevice(context: BrowserContext, page: Page): Promise<PasskeyDevice> {
  const device = await context.newCDPSession(page);
  await device.send("WebAuthn.enable");
  const { authenticatorId } = await device.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  return {
    remove: async () => {
      await device.send("WebAuthn.removeVirtualAuthenticator", { authenticatorId });
      await device.detach();
    },
  };
}
