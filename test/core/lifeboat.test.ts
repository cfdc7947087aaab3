import { expect, it } from "vitest";
import { relinked, linksOf } from "../../dev/lifeboat/links.ts";
import type { Outlook } from "../../protocol/page.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import { HOUR } from "../../protocol/time.ts";
import { fadedAt } from "../../worker/core/lifeboat.ts";

const NOW = 1_000_000;

/** A component that is said to be so from each moment on. */
function said(...turns: readonly (readonly [from: number, status: ComponentStatus])[]) {
  return { outlook: turns.map(([from, status]): Outlook => ({ from, status, since: from, why: null })) };
}

it.each([
  ["its evidence expires", [said([0, "operational"], [NOW + 30, "unknown"])], NOW + 30],
  [
    "the last one's does",
    [said([0, "operational"], [NOW + 30, "unknown"]), said([0, "operational"], [NOW + 90, "unknown"])],
    NOW + 90,
  ],
  [
    "long before a maintenance that is planned",
    [said([0, "operational"], [NOW + 30, "unknown"], [NOW + HOUR, "under_maintenance"])],
    NOW + 30,
  ],
  [
    "and nothing is known of how it answers from outside",
    [{ ...said([0, "operational"], [NOW + 30, "unknown"]), outside: { until: NOW + 40, words: "9 ms" } }],
    NOW + 40,
  ],
  [
    "and neither is well before that, when a maintenance is over",
    [
      {
        ...said([0, "under_maintenance"], [NOW + 10, "operational"], [NOW + 90, "unknown"]),
        outside: { until: NOW + 40, words: "9 ms" },
      },
    ],
    NOW + 90,
  ],
  ["at once where nothing is well", [said([0, "major_outage"], [NOW + 30, "unknown"])], NOW],
  ["at once where there is nothing", [], NOW],
])("a copy is of the moment at which nothing is well any more: %s", (_name, components, at) =>
  expect(fadedAt(components, NOW)).toBe(at),
);

const ORIGIN = "https://status.example";
const FILES = new Set(["index.html", "history/index.html", "incidents/a1/index.html", "history.rss"]);

it.each([
  ["/", "/incidents/a1", "incidents/a1/index.html"],
  ["/incidents/a1", "/", "../../index.html"],
  ["/incidents/a1", `${ORIGIN}/history`, "../../history/index.html"],
  ["/incidents/a1", ORIGIN, "../../index.html"],
  ["/history", "/incidents/a1#u2", "../incidents/a1/index.html#u2"],
  ["/history", "/history.rss", "../history.rss"],
  ["/history", "/view", `${ORIGIN}/view`],
  ["/history", "/incidents/gone", `${ORIGIN}/incidents/gone`],
  ["/", "https://status.example.evil/history", "https://status.example.evil/history"],
  ["/", "//evil.test/", "//evil.test/"],
  ["/", "#days", "#days"],
])("a link on %s to %s leads to %s", (path, href, to) =>
  expect(relinked(`<p><a class="x" href="${href}">A</a></p>`, path, FILES, ORIGIN)).toBe(
    `<p><a class="x" href="${to}">A</a></p>`,
  ),
);

it("the link that leads to the page itself is left, and so is what says where the page is", () => {
  const html = `<link rel="canonical" href="${ORIGIN}/history"/><a href="${ORIGIN}/" data-live>status.example</a>`;
  expect(relinked(html, "/history", FILES, ORIGIN)).toBe(html);
});

it("what people wrote and what was is taken along; forms, own views and other sites are not", () => {
  const hrefs = [
    "/",
    "/de/history",
    "/incidents/a1#x",
    "/view",
    "/view/a1",
    "/admin",
    "https://a.test/history",
    "/x.js",
  ];
  const html = hrefs.map((href) => `<a href="${href}">A</a>`).join("");
  expect(linksOf(html, ORIGIN)).toEqual(["/", "/de/history", "/incidents/a1"]);
});
