import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { MINUTE, SECOND } from "../../protocol/time.ts";
import { length, moment, quantileText, uptimeText } from "../../web/view/format.ts";
import { headline } from "../../web/view/headline.ts";
import { renderPage } from "../../web/view/page.ts";
import { counted, translated } from "../../web/view/words/fill.ts";
import { acceptedLanguage, LANGUAGES, localeOf, splitLanguage } from "../../web/view/words/locale.ts";
import { component, everyState, NOW, said, snapshot } from "./snapshots.ts";

const OTHERS = LANGUAGES.filter((lang) => lang !== "en");
const english = localeOf("en", "Etc/UTC");
const heardAt = NOW - 8 * SECOND;

/** Every text of a language with the way to it. */
function textsOf(value: unknown, path = ""): [string, string][] {
  if (typeof value === "string") return [[path, value]];
  if (typeof value !== "object" || value === null || path === ".live.messages") return [];
  return Object.entries(value).flatMap(([key, inner]) => textsOf(inner, `${path}.${key}`));
}

const placesOf = (text: string): string => [...new Set(text.match(/\{\w+\}/g))].toSorted().join();

describe.each(OTHERS)("%s", (lang) => {
  const locale = localeOf(lang, "Europe/Berlin");
  const texts = new Map(textsOf(locale.words));

  it("fills the same places as English does in every text", () => {
    const formless = (path: string): string => path.replace(/\.(zero|one|two|few|many|other)$/, "");
    const places = new Map<string, string>();
    for (const [path, text] of texts) places.set(formless(path), placesOf(text + (places.get(formless(path)) ?? "")));
    for (const [path, text] of textsOf(english.words)) {
      // A language writes its dates with the parts that it needs.
      if (/\.(date|day|month)$/.test(path)) continue;
      expect([path, places.get(formless(path))]).toEqual([path, placesOf(text)]);
    }
  });

  it("has no text left in English", () => {
    const alike = textsOf(english.words).filter(([path, text]) => text === texts.get(path) && /[a-z]{4}/.test(text));
    // What is international, and what a language writes as English does.
    expect(
      alike.map(([, text]) => text).filter((text) => !/^(\{\w+\}\W*)+$|^(badge|maintenance|incident)\b/i.test(text)),
    ).toEqual([]);
  });

  it("says a page of every state with no English in it", () => {
    const page = renderPage({ snapshot: everyState(), now: NOW, origin: "https://s.test", isCopy: true, locale });
    const [read = ""] = page.split("<body").slice(1).join().split("<script");
    // "Data" is what an operator called a group.
    const labels = [...read.matchAll(/aria-label="([^"]*)"/g)].map(([, label = ""]) => label);
    const seen = `${labels.join(" ")} ${read
      .replace(/data-page='[^']*'/, "")
      .replace(/<style>.*?<\/style>/gs, "")
      .replace(">Data<", "><")
      .replace(/<[^>]*>/g, " ")}`;
    expect(labels.length).toBeGreaterThan(7);
    expect(seen.match(/\b(days?|data|since|requests|operational|outage|history|when|today|range)\b/gi)).toBeNull();
    expect(page).toContain(`<html lang="${lang}"`);
  });
});

describe("what worker/core says", () => {
  /** Its sentences where they stand, so that a new one is not forgotten here. */
  const sources = ["service.ts", "probe.ts", "cause.ts", "component.ts"].map((file) =>
    readFileSync(new URL(`../../worker/core/${file}`, import.meta.url), "utf8"),
  );
  const SENTENCES = [
    "It is not running.",
    "It is switched off.",
    "No requests reach it, so nothing can be said of it.",
    "Too few requests reach it to tell.",
    "It is recovering.",
    "About all requests fail.",
    "About 3 of 10 requests fail.",
    "Answers are slower than they should be.",
    "It did not answer from outside, and has not been asked since.",
    "It fails inside. From outside it still answers.",
    "It is well inside, but it cannot be reached from outside.",
    "It is well inside, but it answers slowly from outside.",
    "No news from inside, and it cannot be reached from outside.",
    "No news from inside, and it answers slowly from outside.",
    "It is not running. And it cannot be reached from outside.",
    "In 2 of 3 locations, about all requests fail. About 7 of 10 requests go there.",
    "It is not running. Likely because of 4 other components.",
    "Likely because of Ledger.",
    "Likely the cause of trouble in 4 other components.",
    "failing",
    "unknown",
  ];

  it("is whole in this list: every public reason in the sources is said by one of these", () => {
    const inSources = sources.flatMap((source) => [...source.matchAll(/why: "([^"]+)"/g)].map(([, text = ""]) => text));
    expect(inSources.length).toBeGreaterThan(6);
    expect(inSources.filter((text) => !SENTENCES.some((sentence) => sentence.includes(text)))).toEqual([]);
  });

  it.each(OTHERS)("is said in %s, all of it", (lang) => {
    const { live } = localeOf(lang, "Etc/UTC").words;
    const left = SENTENCES.map((text) => translated(text, live)).filter((text) =>
      /\b(it|is|of|the|and|requests|from|failing|unknown|Likely|In)\b/.test(text.replace("Ledger", "")),
    );
    expect(left).toEqual([]);
  });

  it.each([
    [
      "de",
      "In 2 of 3 locations, about 3 of 10 requests fail. About 7 of 10 requests go there.",
      "An 2 von 3 Standorten: Etwa 3 von 10 Anfragen schlagen fehl. Etwa 7 von 10 Anfragen gehen dorthin.",
    ],
    [
      "de",
      "It is not running. Likely because of Ledger and Orders.",
      "Läuft nicht. Vermutlich wegen Ledger und Orders.",
    ],
    ["ja", "It is not running. And it cannot be reached from outside.", "動作していません。外部からも到達できません。"],
    ["de", "Database upgrade", "Database upgrade"],
    ["de", "We know why it is recovering.", "We know why it is recovering."],
    ["en", "It is not running.", "It is not running."],
  ] as const)("in %s: %s", (lang, text, words) => expect(translated(text, localeOf(lang, "Etc/UTC"))).toBe(words));
});

describe("a language", () => {
  it.each([
    ["de-AT,de;q=0.9,en;q=0.8", "de"],
    ["nl, fr;q=0.4, es;q=0.7", "es"],
    ["JA", "ja"],
    ["de;q=0, en;q=0.1", "en"],
    ["ar;q=1.0;x=1", "ar"],
    ["nl, *", "en"],
    ["", "en"],
    [null, "en"],
    ["de;q=abc", "en"],
    [`${"xx,".repeat(50)}de`, "en"],
  ])("%s reads %s", (header, lang) => expect(acceptedLanguage(header)).toBe(lang));

  it.each([
    ["/", null, "/"],
    ["/de", "de", "/"],
    ["/de/", "de", "/"],
    ["/ar/history/2026-11", "ar", "/history/2026-11"],
    ["/deutsch", null, "/deutsch"],
    ["/history/de", null, "/history/de"],
  ])("of the path %s is %s", (path, lang, rest) => expect(splitLanguage(path)).toEqual({ lang, path: rest }));
});

describe("numbers and moments", () => {
  const at = NOW - 21 * MINUTE;
  it.each([
    ["en", "99.98 %", "1.84 s (1–2.5)", "Sun 22 Nov 13:41 UTC", "3 days"],
    ["de", "99,98 %", "1,84 s (1–2,5)", "So. 22. Nov. 13:41 UTC", "3 Tage"],
    ["fr", "99,98 %", "1,84 s (1–2,5)", "dim. 22 nov. 13:41 UTC", "3 jours"],
    ["es", "99,98 %", "1,84 s (1–2,5)", "dom 22 nov 13:41 UTC", "3 días"],
    ["ja", "99.98 %", "1.84 s (1–2.5)", "11月22日(日) 13:41 UTC", "3 日"],
    ["ar", "99.98 %", "1.84 s (1–2.5)", "الأحد 22 نوفمبر 13:41 UTC", "3 ي"],
  ] as const)("read as people write them in %s", (lang, uptime, p95, when, age) => {
    const locale = localeOf(lang, "Etc/UTC");
    const quantile = quantileText({ estimate: 1_840, lo: 1_000, hi: 2_500 }, locale).text.replace(/<[^>]*>/g, "");
    const day = 86_400_000;
    expect([uptimeText(0.9998, locale), quantile, moment(at - day, NOW, locale), length(3 * day, locale)]).toEqual([
      uptime,
      p95,
      when,
      age,
    ]);
  });

  it("take the plural's form of their language", () =>
    expect([1, 2].map((n) => counted(english.words.earlierUpdates, n, english))).toEqual([
      "1 earlier update",
      "2 earlier updates",
    ]));
});

it.each([
  ["de", 1, "Checkout ist ausgefallen"],
  ["de", 2, "Checkout und Payments sind ausgefallen"],
  ["de", 3, "3 von 5 Komponenten sind ausgefallen"],
  ["fr", 2, "Checkout et Payments\u00a0: panne majeure"],
  ["es", 5, "Todos los componentes: interrupción grave"],
  ["ja", 3, "5 件中 3 件のコンポーネント は停止しています"],
  ["ar", 1, "Checkout: انقطاع كبير"],
] as const)("the headline in %s of %i components", (lang, count, sentence) => {
  const all = Array.from({ length: 5 }, (_, i) =>
    component(i, i < count ? { outlook: said("major_outage", NOW, null, heardAt) } : {}),
  );
  expect(headline(snapshot(all), null, NOW, localeOf(lang, "Etc/UTC"))).toBe(sentence);
});

it("every language has its own file", () =>
  expect(
    readdirSync(new URL("../../web/view/words/", import.meta.url)).filter((name) => /^..\.ts$/.test(name)),
  ).toHaveLength(LANGUAGES.length));
