/**
 * Every state of the page and every kind of public document as a picture that somebody looked at. After a change that
 * is meant, `npm run -s golden` takes those that differ anew: look at each of them before it is committed.
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import { Gallery } from "./gallery.ts";
import { goldenPage } from "./golden-pages.ts";

/** What of, how wide, and on which paper. */
const PICTURES = Object.entries({
  well: ["1280-light", "360-dark"],
  degraded: ["1280-dark", "360-light"],
  partial: ["1280-light", "360-dark", "700-print", "360-forced"],
  major: ["1280-dark", "360-light"],
  maintenance: ["1280-light", "360-dark"],
  unknown: ["1280-light", "360-dark"],
  copy: ["1280-dark"],
  empty: ["1280-light", "360-dark"],
  young: ["1280-dark"],
  every: ["1280-light"],
  branded: ["1280-light", "360-dark"],
  hundred: ["1280-light"],
  long: ["1280-dark", "320-light"],
  arabic: ["1280-light", "360-dark"],
  component: ["1280-light", "360-dark"],
  incident: ["1280-dark", "360-light"],
  planned: ["360-dark"],
  history: ["1280-dark", "360-light"],
  choose: ["360-light"],
  nothing: ["360-dark"],
  embed: ["320-light"],
  door: ["1280-light", "360-dark"],
  proof: ["1280-dark", "360-light"],
}).flatMap(([name, kinds]) => kinds.map((kind) => `${name}-${kind}`));

let gallery: Gallery;
beforeAll(async () => {
  gallery = await Gallery.open({ folder: "golden", pictures: PICTURES, heightPx: 115, page: goldenPage });
});
afterAll(() => gallery?.close());

it.each(PICTURES)("%s looks as it did when somebody looked at it", async (picture) => {
  expect(await gallery.fault(picture)).toBeNull();
});

it("keeps no picture that is of nothing, and all of them in 1.5 MB", () => {
  const { old, bytes } = gallery.kept();
  expect(old).toEqual([]);
  expect(bytes).toBeLessThanOrEqual(1_500_000);
});

/** Where each of these is not seen, a picture says nothing. The smallest of what a person would see. */
const MUTATIONS: Readonly<Record<string, () => void>> = {
  "a mark beside its place": () => {
    const mark = document.querySelector<SVGElement>(".c .m");
    mark?.style.setProperty("translate", "6px 0");
  },
  "no style": () => document.querySelector("style")?.remove(),
  "a state in another's colour": () => {
    const mark = document.querySelector<SVGElement>(".c .m");
    mark?.style.setProperty("--c", "var(--degraded_performance)");
  },
  "a state as another's word": () => {
    const word = document.querySelector(".c div p");
    if (word !== null) word.textContent = "Unknown";
  },
  "days of history in another's colour": () =>
    document.querySelectorAll(".bars .partial_outage").forEach((path) => path.setAttribute("class", "operational")),
  "a row that begins two pixels lower": () => {
    document.querySelector<HTMLElement>("li")?.style.setProperty("translate", "0 2px");
  },
  "a chart without its line": () => document.querySelector(".plot .line")?.remove(),
};

it.each(Object.keys(MUTATIONS))("sees %s", async (name) => {
  const page = await gallery.show("partial-360-dark");
  await page.evaluate(MUTATIONS[name] ?? (() => {}));
  expect(await gallery.differs(page, "partial-360-dark")).not.toBeNull();
});

it("overlooks what another version of the browser may draw otherwise: everything by a third of a pixel", async () => {
  const page = await gallery.show("partial-360-dark");
  await page.evaluate(() => {
    for (const part of document.querySelectorAll<HTMLElement>("header, main")) part.style.translate = "0.33px 0.33px";
  });
  expect(await gallery.differs(page, "partial-360-dark")).toBeNull();
});
