/**
 * How an operator makes the page theirs, and what they may not: text that nobody can read, and the colours of states,
 * which say the same on every page. Colours come as hex and are written anew, so that nothing typed reaches a style.
 */
import type { BrandColours, PageBrand } from "../../protocol/page.ts";
import type { Result } from "../../protocol/result.ts";
import { failure, success } from "../../protocol/result.ts";
import { COMPONENT_STATUSES } from "../../protocol/status.ts";
import { isTimeZone } from "./calendar.ts";
import type { Colour } from "./colour.ts";
import { colourOf, contrast, fromOklch, hexOf, nearest, over } from "./colour.ts";
import { shortHash } from "./hash.ts";
import type { Mode, Token } from "./palette.ts";
import { MODES, PALETTE } from "./palette.ts";

/** What a Board keeps of it. */
export interface Brand extends PageBrand {
  /** Absent: the deployment's. */
  readonly name?: string;
  /** IANA zone in which days are cut. Absent: the deployment's, and in what an earlier version wrote. */
  readonly timeZone?: string;
}

/** Custom properties that an operator may set, besides the accent: grounds, text and lines. */
export const VARIABLES = ["paper", "raised", "ink", "soft", "line", "hollow"] as const;
export type Variable = (typeof VARIABLES)[number];
/** They lie on something: the others let nothing through. */
const SEE_THROUGH: ReadonlySet<string> = new Set(["line", "hollow"] satisfies Variable[]);

export const LINKS_MAX = 6;

/** What is asked for. Absent stays as it is, null becomes ours again; variables that are not named stay, too. */
export interface BrandWish {
  readonly name?: string | null;
  /** Checked already: `logo.ts`. */
  readonly logo?: string | null;
  /** Without `dark` it is made from `light`. */
  readonly accent?: { readonly light: string; readonly dark?: string } | null;
  readonly links?: readonly { readonly name: string; readonly url: string }[] | null;
  readonly variables?: Readonly<Partial<Record<Variable, Partial<BrandColours> | null>>> | null;
  readonly origin?: string | null;
  readonly timeZone?: string | null;
}

/** `field` as the wish has it; `message` says what to do. */
export interface BrandFault {
  readonly field: string;
  readonly message: string;
}

type Palette = Readonly<Record<Token, Colour>>;

/** WCAG 2.2, 1.4.3 (AA) and 1.4.11. */
const TEXT_MIN = 4.5;
const MARK_MIN = 3;
/** Bars may be quiet, not gone: ours have 1.4 at least. */
const BAR_MIN = 1.25;

/** What must be seen on both grounds, and how well. */
const SEEN: readonly { readonly token: Token; readonly what: string; readonly min: number }[] = [
  { token: "ink", what: "text", min: TEXT_MIN },
  { token: "soft", what: "soft text", min: TEXT_MIN },
  { token: "accent", what: "a link in the accent", min: TEXT_MIN },
  ...COMPONENT_STATUSES.map((token) => ({ token, what: `the mark of ${token}`, min: MARK_MIN })),
  { token: "base", what: "the bar of a good day", min: BAR_MIN },
  { token: "hollow", what: "the bar of a day without data", min: BAR_MIN },
];
const GROUNDS = ["paper", "raised"] as const;

/** The brand as it will be; a fault if something on it could not be read. */
export function brandFrom(wish: BrandWish, held: Brand): Result<Brand, BrandFault> {
  const variables = variablesFrom(wish.variables, held.variables);
  if (!variables.ok) return variables;
  const accent = accentFrom(wish.accent, held.accent, variables.value);
  if (!accent.ok) return accent;
  const name = kept(wish.name, held.name);
  const logo = kept(wish.logo, held.logo);
  const links = kept(wish.links, held.links) ?? [];
  const origin = kept(wish.origin, held.origin);
  const timeZone = kept(wish.timeZone, held.timeZone);
  // An offset is one, too, but no name that programs know.
  if (timeZone !== undefined && !(/^[A-Za-z]/.test(timeZone) && isTimeZone(timeZone)))
    return failure({ field: "timeZone", message: `"${timeZone}" is no zone: say it as Europe/Berlin or Etc/UTC.` });
  const brand: Brand = {
    ...(name !== undefined && { name }),
    ...(logo !== undefined && { logo }),
    ...(accent.value !== undefined && { accent: accent.value }),
    ...(links.length > 0 && { links }),
    ...(Object.keys(variables.value).length > 0 && { variables: variables.value }),
    ...(origin !== undefined && { origin }),
    ...(timeZone !== undefined && { timeZone }),
  };
  const fault = unreadable(brand);
  return fault === null ? success(brand) : failure(fault);
}

function kept<T>(wished: T | null | undefined, held: T | undefined): T | undefined {
  return wished === undefined ? held : (wished ?? undefined);
}

type Variables = NonNullable<PageBrand["variables"]>;

/** Those that are named are what is said of them from now on, in both modes. */
function variablesFrom(wished: BrandWish["variables"], held: Variables = {}): Result<Variables, BrandFault> {
  if (wished === null) return success({});
  const made: Record<string, Partial<BrandColours>> = { ...held };
  for (const name of VARIABLES) {
    const colours = wished?.[name];
    if (colours === undefined) continue;
    delete made[name];
    for (const mode of MODES) {
      const text = colours?.[mode];
      if (text === undefined) continue;
      const colour = colourOf(text);
      if (colour === null || (colour.alpha < 1 && !SEE_THROUGH.has(name))) return noColour(`variables.${name}`, text);
      made[name] = { ...made[name], [mode]: hexOf(colour) };
    }
  }
  return success(made);
}

function accentFrom(
  wished: BrandWish["accent"],
  held: BrandColours | undefined,
  variables: Variables,
): Result<BrandColours | undefined, BrandFault> {
  if (wished === undefined) return success(held);
  if (wished === null) return success(undefined);
  const { light, dark } = wished;
  for (const text of [light, dark ?? light]) if (colourOf(text)?.alpha !== 1) return noColour("accent", text);
  const partner = dark ?? nearestFor("accent", light, "dark", { variables }) ?? light;
  return success({ light: written(light), dark: written(partner) });
}

function noColour(field: string, text: string): Result<never, BrandFault> {
  return failure({ field, message: `"${text}" is no colour: say it as #0b6 or #00bb66.` });
}

/** Of a text that is a colour. */
function written(text: string): string {
  const colour = colourOf(text);
  return colour === null ? "" : hexOf(colour);
}

/** How well an accent can be read where it stands, as ratios to 1. */
export interface AccentContrast {
  readonly mode: Mode;
  readonly colour: string;
  readonly paper: number;
  readonly raised: number;
}

/** Empty where the accent is ours. */
export function accentContrasts(brand: Brand): readonly AccentContrast[] {
  if (brand.accent === undefined) return [];
  return MODES.map((mode) => {
    const palette = paletteOf(brand, mode);
    const on = (ground: "paper" | "raised"): number => floored(contrast(palette.accent, palette[ground]));
    return { mode, colour: hexOf(palette.accent), paper: on("paper"), raised: on("raised") };
  });
}

/** A mode's colours as hex, ours where an operator set none, with how well the accent can be read on both grounds. */
export function brandSamples(brand: Brand) {
  return MODES.map((mode) => {
    const { paper, raised, ink, accent } = paletteOf(brand, mode);
    const hex = { paper: hexOf(paper), raised: hexOf(raised), ink: hexOf(ink), accent: hexOf(accent) };
    return { mode, ...hex, onPaper: floored(contrast(accent, paper)), onRaised: floored(contrast(accent, raised)) };
  });
}

/** Stands for a brand as it is. */
export function brandRevision(brand: Brand): string {
  return shortHash(JSON.stringify(brand));
}

/** Never rounded up: 4.49 is not 4.5. */
function floored(ratio: number): number {
  return Math.floor(ratio * 10) / 10;
}

type Coloured = Pick<Brand, "accent" | "variables">;

function ownColours({ accent, variables }: Coloured): Variables {
  return { ...variables, ...(accent && { accent }) };
}

function paletteOf(brand: Coloured, mode: Mode): Palette {
  const own = ownColours(brand);
  const tokens = Object.entries(PALETTE[mode]).map(([token, ours]) => {
    const text = own[token]?.[mode];
    return [token, (text === undefined ? null : colourOf(text)) ?? fromOklch(ours)] as const;
  });
  // One of each, from the palette's own keys.
  return Object.fromEntries(tokens) as Palette;
}

/** What cannot be seen as it must, the first of it. */
function unseen(palette: Palette) {
  for (const ground of GROUNDS)
    for (const { token, what, min } of SEEN) {
      const ratio = contrast(over(palette[token], palette[ground]), palette[ground]);
      if (ratio < min) return { token, ground, what, min, ratio };
    }
  return null;
}

/** The colour nearest to `text` with which all can be read; null if there is none. */
function nearestFor(token: Token, text: string, mode: Mode, brand: Coloured): string | null {
  const colour = colourOf(text);
  const palette = paletteOf(brand, mode);
  const found = colour && nearest(colour, (candidate) => unseen({ ...palette, [token]: candidate }) === null);
  return found && hexOf(found);
}

function unreadable(brand: Brand): BrandFault | null {
  for (const mode of MODES) {
    const fault = unseen(paletteOf(brand, mode));
    if (fault === null) continue;
    const { token, ground, what, min, ratio } = fault;
    const palette = paletteOf(brand, mode);
    // Who set the ground under one of ours is told of the ground.
    const of = ownColours(brand)[token]?.[mode] === undefined ? ground : token;
    const advice = of === "accent" ? accentAdvice(brand) : adviceFor(of, hexOf(palette[of]), mode, brand);
    return {
      field: of === "accent" ? of : `variables.${of}`,
      message: `On the ${mode} ${ground} ${hexOf(palette[ground])}, ${what} (${hexOf(palette[token])}) has a contrast of ${floored(ratio)} to 1 and needs ${min}.${advice}`,
    };
  }
  return null;
}

function adviceFor(token: Token, text: string, mode: Mode, brand: Brand): string {
  const better = nearestFor(token, text, mode, brand);
  return better === null ? "" : ` The nearest that passes is ${better}.`;
}

function accentAdvice(brand: Brand): string {
  const [light, dark] = MODES.map((mode) => nearestFor("accent", brand.accent?.[mode] ?? "", mode, brand));
  return light && dark ? ` The nearest that pass are ${light} on light paper and ${dark} in the dark.` : "";
}
