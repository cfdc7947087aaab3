import { gzipSync } from "node:zlib";
import * as v from "valibot";
import { command, Usage } from "./command.ts";
import { ask, findOperator } from "./edge.ts";
import { logoUrl } from "./logo.ts";

const VARIABLES = ["paper", "raised", "ink", "soft", "line", "hollow"] as const;
const PARTS = ["name", "logo", "accent", "links", "variables", "origin", "zone"] as const;

const HELP = `
npm run -s page                 how the page looks and where it stands
npm run -s page -- OPTIONS      changes what is named, and leaves the rest; visitors have it within seconds

  --name NAME                   what the page is called, in place of PAGE_NAME
  --logo FILE                   an SVG, PNG, JPEG, GIF or WebP, at most 8,192 letters as a data: URL. It stands before
                                the name, 28 px high. An SVG may have colours of its own for the dark:
                                <style>@media (prefers-color-scheme: dark) { path { fill: #fff } }</style>
  --accent LIGHT[,DARK]         the colour of links and focus, as #0b6 or #00bb66. Without DARK it is made from LIGHT.
                                It must have a contrast of 4.5 to 1 where it is read, and is refused if it has less
  --link NAME=URL               a link in the foot of every page, https only; all of them at once, at most six
  --variable NAME=LIGHT[,DARK]  a colour of the style: ${VARIABLES.join(", ")}. =,DARK sets the dark alone.
                                What stands on it must stay readable. The colours of states are the same on every page
  --origin URL                  where the page stands for visitors: feeds, calendars, search engines and programs are
                                told this address, whichever they asked
  --zone ZONE                   in which days are cut and moments are said, as Europe/Berlin; in place of PAGE_TIME_ZONE.
                                Days that are frozen stay as they are
  --unset WHAT                  back to ours: ${PARTS.join(", ")}, or one variable

  npm run -s page -- --name "Acme status" --logo acme.svg --accent '#0a7d4f'
  npm run -s page -- --accent '#0a7d4f,#3ddc97' --link "Help=https://help.acme.example" --link "Acme=https://acme.example"
  npm run -s page -- --variable 'paper=#fffdf8,#14110d' --origin https://status.acme.example
  npm run -s page -- --unset logo --unset paper
`;

const OPTIONS = {
  name: { type: "string" },
  logo: { type: "string" },
  accent: { type: "string" },
  link: { type: "string", multiple: true },
  variable: { type: "string", multiple: true },
  origin: { type: "string" },
  zone: { type: "string" },
  unset: { type: "string", multiple: true },
} as const;

const Colours = v.object({ light: v.optional(v.string()), dark: v.optional(v.string()) });
const Page = v.object({
  page: v.object({
    name: v.string(),
    origin: v.nullable(v.string()),
    // Absent in what an edge of the release before says.
    timeZone: v.optional(v.nullable(v.string()), null),
    logo: v.nullable(v.string()),
    accent: v.array(v.object({ mode: v.string(), colour: v.string(), paper: v.number(), raised: v.number() })),
    links: v.array(v.object({ name: v.string(), url: v.string() })),
    variables: v.record(v.string(), Colours),
  }),
});
type Answer = v.InferOutput<typeof Page>["page"];

/** `LIGHT[,DARK]`; either may be empty. */
function coloursOf(text: string): v.InferOutput<typeof Colours> {
  const [light = "", dark = "", ...rest] = text.split(",").map((colour) => colour.trim());
  if (rest.length > 0 || light + dark === "") throw new Usage(`"${text}" is no colour: say LIGHT or LIGHT,DARK`);
  return { ...(light !== "" && { light }), ...(dark !== "" && { dark }) };
}

/** `NAME=VALUE`, at the first =. */
function pairOf(option: string, text: string): readonly [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw new Usage(`--${option} "${text}" has no name: say NAME=…`);
  return [text.slice(0, at).trim(), text.slice(at + 1).trim()];
}

type Wish = Readonly<Record<string, unknown>>;

/** What becomes ours again. */
function unset(names: readonly string[]): { readonly parts: Wish; readonly variables: Wish } {
  const variables = names.filter((name) => VARIABLES.some((one) => one === name));
  const parts = names.filter((name) => PARTS.some((one) => one === name));
  const unknown = names.find((name) => !variables.includes(name) && !parts.includes(name));
  if (unknown !== undefined)
    throw new Usage(`--unset "${unknown}": there is no such thing, but ${[...PARTS, ...VARIABLES].join(", ")}`);
  // What the command line calls a zone is a time zone to the edge.
  const nothing = (of: readonly string[]): Wish =>
    Object.fromEntries(of.map((name) => [name === "zone" ? "timeZone" : name, null]));
  return { parts: nothing(parts), variables: nothing(variables) };
}

/** What the options ask for; empty if they ask for nothing. */
function wishOf(values: Values): Wish {
  const taken = unset(values.unset ?? []);
  const variables = (values.variable ?? []).map((text) => {
    const [name, colours] = pairOf("variable", text);
    return [name, coloursOf(colours)] as const;
  });
  const links = values.link?.map((text) => {
    const [name, url] = pairOf("link", text);
    return { name, url };
  });
  const accent = values.accent === undefined ? undefined : coloursOf(values.accent);
  if (accent !== undefined && accent.light === undefined)
    throw new Usage("--accent needs the colour for light paper: the one for the dark can be made from it");
  const all = { ...taken.variables, ...Object.fromEntries(variables) };
  const set: Wish = {
    ...(values.name !== undefined && { name: values.name }),
    ...(values.logo !== undefined && { logo: logoUrl(values.logo) }),
    ...(accent !== undefined && { accent }),
    ...(links !== undefined && { links }),
    ...(Object.keys(all).length > 0 && { variables: all }),
    ...(values.origin !== undefined && { origin: values.origin }),
    ...(values.zone !== undefined && { timeZone: values.zone }),
  };
  const both = Object.keys(set).find((part) => part in taken.parts);
  if (both !== undefined) throw new Usage(`${both} is set and unset at once`);
  return { ...set, ...taken.parts };
}

interface Values {
  readonly name?: string | undefined;
  readonly logo?: string | undefined;
  readonly accent?: string | undefined;
  readonly link?: readonly string[] | undefined;
  readonly variable?: readonly string[] | undefined;
  readonly origin?: string | undefined;
  readonly zone?: string | undefined;
  readonly unset?: readonly string[] | undefined;
}

await command(HELP, OPTIONS, async ({ values, positionals }) => {
  if (positionals.length > 0) throw new Usage(`"${positionals.join(" ")}" means nothing here: quote what has spaces`);
  const wish = wishOf(values);
  const isAsking = Object.keys(wish).length === 0;
  const { page } = await ask(findOperator(), isAsking ? "GET" : "PUT", "/cli/v1/page", isAsking ? null : wish, Page);
  // Of one colour the other was made.
  const isMade = values.accent !== undefined && !values.accent.includes(",");
  for (const [part, said] of linesOf(page, isMade)) console.log(part.padEnd(10) + said);
});

type Line = readonly [part: string, said: string];

/** What stands now, a line each. */
function linesOf({ name, origin, timeZone, logo, accent, links, variables }: Answer, isMade: boolean): readonly Line[] {
  return [
    ["name", name],
    ["origin", origin ?? "the address that it is asked by"],
    ["zone", timeZone ?? "the deployment's"],
    ["logo", logo === null ? "none" : weightOf(logo)],
    ...(accent.length === 0 ? [["accent", "ours"] satisfies Line] : []),
    ...accent.map(({ mode, colour, paper, raised }): Line => {
      const where = mode === "dark" ? `in the dark${isMade ? ", made from it" : ""}` : "on light paper";
      return ["accent", `${colour} ${where}: ${paper} to 1, and ${raised} to 1 on what is raised; 4.5 is needed`];
    }),
    ...links.map((link): Line => ["link", `${link.name}=${link.url}`]),
    ...Object.entries(variables).map(([variable, { light = "", dark }]): Line => [
      "variable",
      `${variable}=${light}${dark === undefined ? "" : `,${dark}`}`,
    ]),
  ];
}

/** What it adds to each page on the wire. */
function weightOf(logo: string): string {
  const type = logo.slice("data:".length, logo.search(/[;,]/));
  return `${type}, ${logo.length.toLocaleString("en")} letters; about ${gzipSync(logo, { level: 6 }).length.toLocaleString("en")} bytes more on every page`;
}
