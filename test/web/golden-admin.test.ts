/**
 * The admin's main pages as pictures that somebody looked at: on a desk and on a phone, on both papers. After a change
 * that is meant, `npm run -s golden` takes those that differ anew: look at each of them before it is committed.
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import { Gallery } from "./gallery.ts";
import { adminPage } from "./golden-admin-pages.ts";

const KINDS = ["1280-light", "1280-dark", "360-light", "360-dark"];
const PICTURES = Object.entries({
  home: KINDS,
  report: KINDS,
  incident: KINDS,
  plan: KINDS,
  start: KINDS,
  components: KINDS,
  people: KINDS,
  menu: ["360-light", "360-dark"],
}).flatMap(([name, kinds]) => kinds.map((kind) => `${name}-${kind}`));

let gallery: Gallery;
beforeAll(async () => {
  gallery = await Gallery.open({
    folder: "golden-admin",
    pictures: PICTURES,
    heightPx: 800,
    page: adminPage,
    prepare: async (page, name) => {
      if (name === "menu") await page.getByRole("button", { name: "Menu" }).click();
    },
  });
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

it("sees a place that is not marked, and a field without its fault", async () => {
  for (const [picture, selector] of [
    ["home-1280-light", "[aria-current]"],
    ["start-360-dark", ".fault"],
  ] as const) {
    const page = await gallery.show(picture);
    await page.evaluate((gone) => {
      const element = document.querySelector(gone);
      element?.removeAttribute("aria-current");
      if (element?.className === "fault") element.remove();
    }, selector);
    expect([picture, await gallery.differs(page, picture)]).not.toEqual([picture, null]);
  }
});
