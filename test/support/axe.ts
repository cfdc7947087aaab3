/** Pages judged by axe, in a browser context that bypasses their policy. */
import { createRequire } from "node:module";
import type { AxeResults, RunOptions } from "axe-core";
import type { Page } from "playwright-core";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** What it finds on the page as it stands, what is folded unfolded, and how much wider than the window the page is. */
export async function axeFaults(page: Page, options: Pick<RunOptions, "runOnly"> = {}): Promise<readonly string[]> {
  const isThere = await page.evaluate(() => "axe" in globalThis);
  if (!isThere) await page.addScriptTag({ path: AXE });
  const { violations, wide } = await page.evaluate(
    async (asked): Promise<{ violations: AxeResults["violations"]; wide: number }> => {
      const { axe } = globalThis as unknown as { axe: { run(options: RunOptions): Promise<AxeResults> } };
      for (const one of document.querySelectorAll("details")) one.open = true;
      const found = await axe.run({ ...asked, resultTypes: ["violations"] });
      return { violations: found.violations, wide: document.documentElement.scrollWidth - innerWidth };
    },
    options,
  );
  const found = violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 160)}`));
  return wide > 0 ? [...found, `${wide} px too wide`] : found;
}
