/** Markup that is safe to send: made by `markup`, which escapes every interpolation that is not itself `Html`. */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** What may stand in a template; null, undefined and false are left out, lists are joined. */
export type Part = Html | string | number | null | undefined | false | readonly Part[];

/** Attributes are always written in double quotes in our templates, so these five are enough in both places; but see `json`. */
function escape(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

function render(part: Part): string {
  if (part instanceof Html) return part.text;
  if (part === null || part === undefined || part === false) return "";
  if (typeof part === "object") return part.map(render).join("");
  return escape(String(part));
}

/** A template of markup. Space at line ends is the source's layout and is not sent. */
export function markup(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(strings.reduce((text, string, i) => text + render(parts[i - 1]) + string));
}

/**
 * A value as JSON in an attribute of a script's facts. It stands in single quotes, so that JSON's own need no escape:
 * `data-page='${json(facts)}'`.
 */
export function json(value: unknown, replacer?: (key: string, value: unknown) => unknown): Html {
  return new Html(escape(JSON.stringify(value, replacer)).replaceAll("&#34;", '"'));
}

/** Our own constants (bundled script and style, drawings); never anything a person typed. */
export function trusted(text: string): Html {
  return new Html(text);
}
