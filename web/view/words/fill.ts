/** Texts with their places filled, and what worker/core says in the language of the page. */
import type { Html, Part } from "../html.ts";
import { markup } from "../html.ts";
import type { Forms, LiveWords } from "./words.ts";

type Values = Readonly<Record<string, string | number>>;

/** "Since {at}" with what `at` is. */
export function fill(text: string, values: Values): string {
  return text.replace(/\{(\w+)\}/g, (_, name: string) => `${values[name]}`);
}

/** Of each language once: they are slow to make, and a page counts something in every row. */
const plurals: Record<string, Intl.PluralRules> = {};

/** The form that goes with `n`, filled. */
export function counted(forms: Forms, n: number, { intl }: LiveWords, values: Values = {}): string {
  const rules = (plurals[intl] ??= new Intl.PluralRules(intl));
  const form = typeof forms === "string" ? forms : (forms[rules.select(n)] ?? forms.other);
  return fill(form, { n, ...values });
}

/** The same where markup stands in a place. Text stays text. */
export function filled(text: string, values: Readonly<Record<string, Part>>): Html {
  return markup`${text.split(/\{(\w+)\}/).map((piece, i) => (i % 2 === 0 ? piece : values[piece]))}`;
}

/**
 * A public reason, or an answer from outside, in the page's language. What an operator wrote matches no pattern and
 * stays as it is; a sentence may stand behind another's comma, and begins with a small letter there.
 */
export function translated(text: string, { messages = [] }: LiveWords): string {
  return messages.reduce(
    (said, [english, words]) => said.replace(new RegExp(`(?<=^|[.,] |。)${english}`, "i"), words),
    text,
  );
}
