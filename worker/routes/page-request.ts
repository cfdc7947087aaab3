/** How operators make the page theirs: what comes from the command line, checked and written anew. */
import * as v from "valibot";
import { line } from "../../protocol/name.ts";
import type { Variable } from "../core/brand.ts";
import { LINKS_MAX, VARIABLES } from "../core/brand.ts";
import { LOGO_MAX, pixelsFault, svgFault, svgUrl } from "../core/logo.ts";
import { fromBase64 } from "../objects/crypto.ts";
import { MomentRequest } from "./moment.ts";

const ADDRESS_MAX = 300;

/** Read as a browser reads it, and kept as that, so that nobody reads another address out of it. */
const Address = v.pipe(
  line(ADDRESS_MAX),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const url = URL.canParse(dataset.value) ? new URL(dataset.value) : null;
    if (url?.protocol === "https:" && url.username + url.password === "" && url.href.length <= ADDRESS_MAX) return url;
    addIssue({ message: `must be an https address of at most ${ADDRESS_MAX} letters, without a password` });
    return NEVER;
  }),
);

const Link = v.strictObject({
  name: v.pipe(line(40), v.trim(), v.nonEmpty("must not be empty")),
  url: v.pipe(
    Address,
    v.transform((url) => url.href),
  ),
});

const Origin = v.pipe(
  Address,
  v.check((url) => url.href === `${url.origin}/`, "must be an address without a path, as https://status.example.com"),
  v.transform((url) => url.origin),
);

/** Longer ones are no colour; which ones are is for `brand.ts` to say. */
const Colour = line(40);

const Mode = v.strictObject({ light: v.exactOptional(Colour), dark: v.exactOptional(Colour) });

const NO_VARIABLE = `must be of ${VARIABLES.join(", ")}: the colours of states say the same on every page`;

const Variables = v.record(v.picklist(VARIABLES, NO_VARIABLE) satisfies v.GenericSchema<Variable>, v.nullable(Mode));

const TOO_LONG = `must be at most ${LOGO_MAX} letters as a data: URL: every page carries it`;

/** A data: URL, and nothing in it that could do more than be looked at. */
const Logo = v.pipe(
  v.string(),
  v.maxLength(LOGO_MAX, TOO_LONG),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const read = logoFrom(dataset.value);
    if ("url" in read) return read.url;
    addIssue({ message: read.fault });
    return NEVER;
  }),
);

function logoFrom(text: string): { readonly url: string } | { readonly fault: string } {
  const [, type = "", encoding, data = ""] = /^data:([a-z+/]+)(;base64)?,(.*)$/s.exec(text) ?? [];
  const bytes = encoding === undefined ? null : fromBase64(data);
  if (type === "image/svg+xml") {
    const svg = encoding === undefined ? decoded(data) : bytes && utf8(bytes);
    if (svg === null) return { fault: "is not UTF-8" };
    const fault = svgFault(svg);
    if (fault !== null) return { fault };
    const url = svgUrl(svg);
    return url.length <= LOGO_MAX ? { url } : { fault: TOO_LONG };
  }
  if (bytes === null || !/^[A-Za-z0-9+/]+={0,2}$/.test(data)) return { fault: "must be a data: URL of a picture" };
  const fault = pixelsFault(type, String.fromCharCode(...bytes.subarray(0, 16)));
  return fault === null ? { url: text } : { fault };
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

function utf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    return null;
  }
}

const PageName = v.pipe(line(80), v.trim(), v.nonEmpty("must not be empty"));
const Accent = v.strictObject({ light: Colour, dark: v.exactOptional(Colour) });
const Links = v.pipe(v.array(Link), v.maxLength(LINKS_MAX, `at most ${LINKS_MAX} links fit the foot of a page`));

/** What is absent stays as it is; null makes it ours again. */
export const PageRequestSchema = v.strictObject({
  name: v.exactOptional(v.nullable(PageName)),
  logo: v.exactOptional(v.nullable(Logo)),
  accent: v.exactOptional(v.nullable(Accent)),
  links: v.exactOptional(v.nullable(Links)),
  variables: v.exactOptional(v.nullable(Variables)),
  origin: v.exactOptional(v.nullable(Origin)),
  timeZone: v.exactOptional(v.nullable(line(60))),
});

/** The page in a file: what is not named is ours, but for what programs know it by. */
export const PageSaidSchema = v.strictObject({
  id: v.exactOptional(v.pipe(v.string(), v.regex(/^[0-9a-z]{12}$/, "must be 12 of 0-9 and a-z"))),
  since: v.exactOptional(MomentRequest),
  name: v.exactOptional(PageName),
  logo: v.exactOptional(Logo),
  accent: v.exactOptional(Accent),
  links: v.exactOptional(Links),
  variables: v.exactOptional(v.record(v.picklist(VARIABLES, NO_VARIABLE), Mode)),
  origin: v.exactOptional(Origin),
  timeZone: v.exactOptional(line(60)),
});
