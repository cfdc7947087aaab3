import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Brand, BrandWish } from "../../worker/core/brand.ts";
import { accentContrasts, brandFrom, VARIABLES } from "../../worker/core/brand.ts";
import { LOGO_MAX, pixelsFault, svgFault, svgUrl } from "../../worker/core/logo.ts";
import { publicSnapshot } from "../../worker/core/snapshot.ts";
import { restored } from "../../worker/core/restore.ts";
import { NOON } from "../support/facts.ts";

const set = (wish: BrandWish, held: Brand = {}): Brand | string => {
  const made = brandFrom(wish, held);
  return made.ok ? made.value : `${made.failure.field}: ${made.failure.message}`;
};

describe("an accent", () => {
  it("is what was said where it can be read, and its partner in the dark is made from it", () => {
    expect(set({ accent: { light: "#1E40AF" } })).toEqual({ accent: { light: "#1e40af", dark: "#507cf0" } });
    expect(set({ accent: { light: "#0a7d4f", dark: "#3ddc97" } })).toEqual({
      accent: { light: "#0a7d4f", dark: "#3ddc97" },
    });
  });

  it("is refused where it cannot, with the nearest that can", () => {
    expect(set({ accent: { light: "#0b6" } })).toBe(
      "accent: On the light paper #fbfcfd, a link in the accent (#00bb66) has a contrast of 2.4 to 1 and needs 4.5. The nearest that pass are #028145 on light paper and #00bb66 in the dark.",
    );
    expect(set({ accent: { light: "#1e40af", dark: "#1e40af" } })).toMatch(
      /^accent: On the dark paper #0f1216, .* 2\.1 to 1 .* are #1e40af on light paper and #507cf0 in the dark\.$/,
    );
    // Raised paper is darker: it is read there as well.
    expect(set({ accent: { light: "#74747a" } })).toMatch(/^accent: On the light raised/);
  });

  it.each(["red", "#12", "#1e40af80", "#fff;}</style>", "var(--ink)", "url(https://evil.example)", ""])(
    "%j is none",
    (light) => expect(set({ accent: { light } })).toBe(`accent: "${light}" is no colour: say it as #0b6 or #00bb66.`),
  );

  it("that is suggested is always taken", () => {
    const hex = fc.integer({ min: 0, max: 0xffffff }).map((n) => `#${n.toString(16).padStart(6, "0")}`);
    fc.assert(
      fc.property(hex, (light) => {
        const told = set({ accent: { light } });
        if (typeof told !== "string")
          return accentContrasts(told).every((one) => one.paper >= 4.5 && one.raised >= 4.5);
        const [, better = "", dark = ""] = /pass are (#\w{6}) on light paper and (#\w{6}) in the dark/.exec(told) ?? [];
        return typeof set({ accent: { light: better, dark } }) === "object";
      }),
      { numRuns: 200 },
    );
  });

  it("is told with its contrasts, which are never rounded up", () => {
    expect(accentContrasts({ accent: { light: "#707070", dark: "#9a9a9a" } })).toEqual([
      { mode: "light", colour: "#707070", paper: 4.8, raised: 4.5 },
      { mode: "dark", colour: "#9a9a9a", paper: 6.6, raised: 6.1 },
    ]);
    expect(accentContrasts({})).toEqual([]);
  });
});

describe("variables", () => {
  it("are set one by one, and are ours again one by one", () => {
    const held = set({ variables: { paper: { light: "#fffdf8", dark: "#14110D" }, line: { light: "#0002" } } });
    expect(held).toEqual({
      variables: { paper: { light: "#fffdf8", dark: "#14110d" }, line: { light: "#00000022" } },
    });
    expect(set({ variables: { ink: { light: "#111" } } }, held as Brand)).toEqual({
      variables: { ...(held as Brand).variables, ink: { light: "#111111" } },
    });
    expect(set({ variables: { paper: null } }, held as Brand)).toEqual({ variables: { line: { light: "#00000022" } } });
    expect(set({ variables: null }, held as Brand)).toEqual({});
  });

  it.each([
    [
      "paper on which text cannot be read",
      { paper: { light: "#333" } },
      /^variables\.paper: On the light paper #333333, text/,
    ],
    [
      "text that cannot be read",
      { soft: { dark: "#444" } },
      /^variables\.soft: On the dark paper .* The nearest that passes is #/,
    ],
    [
      "paper on which a state cannot be seen",
      { raised: { light: "#d8d8d8" } },
      /^variables\.raised: .* the mark of operational/,
    ],
    ["bars that are gone", { hollow: { light: "#0001" } }, /^variables\.hollow: .* a day without data/],
    [
      "paper that lets something through",
      { paper: { light: "#ffffff80" } },
      /^variables\.paper: "#ffffff80" is no colour/,
    ],
  ] as const)("refuse %s", (_name, variables, message) => expect(set({ variables })).toMatch(message));

  it("carry an accent that was set before, or are refused", () => {
    const held = { accent: { light: "#707070", dark: "#9a9a9a" } };
    expect(set({ variables: { paper: { light: "#f4f2ee" }, raised: { light: "#f4f2ee" } } }, held)).toMatch(
      /^accent: /,
    );
  });

  it("say nothing of the colours of states", () => {
    for (const name of ["operational", "major_outage", "base", "accent"]) expect(VARIABLES).not.toContain(name);
    const forged = { operational: { light: "#cc2827" } } as BrandWish["variables"] & object;
    expect(set({ variables: forged })).toEqual({});
  });
});

describe("a brand", () => {
  const brand: Brand = {
    name: "Acme",
    logo: "data:image/svg+xml,%3Csvg/%3E",
    accent: { light: "#1e40af", dark: "#507cf0" },
    links: [{ name: "Help", url: "https://help.acme.example/" }],
    variables: { paper: { light: "#fffdf8" } },
    origin: "https://status.acme.example",
  };
  const page = { id: "page00000001", name: "Acme", timeZone: "Etc/UTC", createdAt: NOON };
  const facts = {
    version: 1,
    components: [],
    tells: new Map(),
    maintenances: [],
    outside: new Map(),
    changes: new Map(),
    archive: { delayedSince: null, isRestoring: false },
  };

  it("stays where nothing is said of it, and goes part by part", () => {
    expect(set({}, brand)).toEqual(brand);
    expect(set({ name: null, logo: null, accent: null, links: null, variables: null, origin: null }, brand)).toEqual(
      {},
    );
    const { links: _, ...rest } = brand;
    expect(set({ links: [] }, brand)).toEqual(rest);
  });

  it("is public but for its name, which is the page's; nothing else that is kept beside it is", () => {
    const { name: _, ...shown } = brand;
    const secret = { ...brand, by: "operator", secret: "s3cret" };
    const snapshot = publicSnapshot({ ...facts, page: { ...page, brand: secret } }, NOON);
    expect(snapshot.brand).toEqual(shown);
    expect(JSON.stringify(snapshot)).not.toContain("s3cret");
    expect(publicSnapshot({ ...facts, page }, NOON)).not.toHaveProperty("brand");
  });

  it("comes back to a Board that lost its memory, unless somebody set another meanwhile", () => {
    const documents = [{ kind: "page", body: { ...page, brand } }];
    const held = {
      page: { ...page, id: "new" },
      components: [],
      maintenances: new Map(),
      announcements: new Map(),
      incidents: new Map(),
      series: new Map(),
      clusters: new Map(),
    };
    expect(restored(documents, held, NOON).page.brand).toEqual(brand);
    const newer = { ...held, page: { ...held.page, brand: { name: "New" } } };
    expect(restored(documents, newer, NOON).page.brand).toEqual({ name: "New" });
  });
});

describe("a logo", () => {
  const svg = (inner: string, attributes = ""): string =>
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"${attributes}>${inner}</svg>`;

  it.each([
    ["a drawing", svg('<path fill="url(#a)" d="M0 0h8v8z"/><defs><linearGradient id="a"/></defs>')],
    ["one with colours for the dark", svg("<style>@media (prefers-color-scheme: dark){path{fill:#fff}}</style>")],
    ["one that uses a part of itself twice", svg('<g id="a"/><use href="#a"/>')],
    ["one with a remark", `<?xml version="1.0"?>\n<!-- made by hand -->\n${svg("")}`],
    ["letters of any script", svg("<text>状態 &amp; ☂</text>")],
  ])("may be %s", (_name, text) => expect(svgFault(text)).toBeNull());

  it.each([
    ["a script", svg("<script>alert(1)</script>"), "<script>"],
    ["a script of another prefix", svg('<s:script xmlns:s="http://www.w3.org/2000/svg"/>'), "<s:script>"],
    ["a script in capitals", svg("<SCRIPT>alert(1)</SCRIPT>"), "<SCRIPT>"],
    ["HTML in it", svg("<foreignObject><body/></foreignObject>"), "<foreignObject>"],
    ["another picture", svg('<image href="https://evil.example/p.png"/>'), "<image>"],
    ["a link", svg('<a href="https://evil.example"><path/></a>'), "<a>"],
    ["what changes attributes", svg('<set attributeName="href" to="javascript:x"/>'), "<set>"],
    ["a handler", svg("", ' onload="alert(1)"'), "a handler: onload"],
    ["a handler after a slash", svg("<path/onclick=alert(1) />"), "a handler: onclick"],
    ["a reference outside", svg('<use href="https://evil.example/#a"/>'), "outside"],
    ["an older reference outside", svg('<use xlink:href="//evil.example/#a"/>'), "outside"],
    ["a script for an address", svg('<use href="javascript:alert(1)"/>'), "outside"],
    ["another base", svg("<g/>", ' xml:base="https://evil.example/"'), "loads"],
    ["a paint from outside", svg('<path fill="url(https://evil.example/#a)"/>'), "outside"],
    ["a paint that is data", svg('<path style="fill:URL( data:image/svg+xml,x )"/>'), "outside"],
    ["a style from outside", svg("<style>@import 'https://evil.example'</style>"), "loads"],
    ["letters as numbers", svg("<style>path{fill:&#117;rl(https://evil.example)}</style>"), "hides"],
    ["escapes", svg("<style>path{fill:\\75rl(https://evil.example)}</style>"), "hides"],
    ["a document type", `<!DOCTYPE svg [<!ENTITY a "b">]>${svg("")}`, "no SVG"],
    ["hidden text", svg("<![CDATA[<script/>]]>"), "a declaration"],
    ["a style sheet's instruction", svg('<?xml-stylesheet href="https://evil.example"?>'), "a declaration"],
    ["nothing of an SVG", "<html><svg></svg></html>", "no SVG"],
  ])("may not have %s", (_name, text, fault) => expect(svgFault(text)).toContain(fault));

  it("of pixels begins as its kind does", () => {
    expect(pixelsFault("image/png", "\x89PNG\r\n\x1a\n....")).toBeNull();
    expect(pixelsFault("image/png", "<svg onload=x>")).toBe("is no PNG file");
    expect(pixelsFault("text/html", "<script>")).toMatch(/^must be/);
  });

  it("is written as letters that a browser reads back, and that no attribute could end with", () => {
    const text = svg("<text>'\"&amp;#%+ 状</text>");
    const url = svgUrl(`\uFEFF${text}\n`);
    expect(decodeURIComponent(url.slice("data:image/svg+xml,".length))).toBe(text);
    expect(url).toMatch(/^data:image\/svg\+xml,[\w\-.~:/?[\]@!$()*+,;=%]+$/);
    expect(LOGO_MAX).toBe(8 * 1024);
  });
});
