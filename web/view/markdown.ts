/**
 * What people typed in an incident or a maintenance, as markup. CommonMark without its ways out: HTML and images stay
 * text, addresses are http, https or mail (others are emptied), headings are bold lines, because the page has its own.
 */
import { micromark } from "micromark";
import { Html } from "./html.ts";

/** More is cut off. An update may have 25,000 characters. */
export const MARKDOWN_CHARS_MAX = 65_536;
/** Quotes and lists within each other on one line. Each level costs the parser the rest of the line once more. */
const NESTED_MAX = 8;

/**
 * Marks of one kind in one text. Each costs the parser all the others once more: 12,000 stars would take it 8 s. Texts
 * with more are no person's, and show these marks as they were typed.
 */
const MARKS_MAX = 1_000;
const COSTLY: readonly (readonly [marks: RegExp, constructs: readonly string[]])[] = [
  [/[*_]+/g, ["attention"]],
  [/[[\]]/g, ["labelStartLink", "labelEnd", "definition"]],
  [/^[ \t>]*(?:=+|-+)[ \t]*$/gm, ["setextUnderline"]],
  [/^[ \t]*>/gm, ["blockQuote"]],
  [/^[ \t>]*(?:[-+*]|\d{1,9}[.)])[ \t]/gm, ["list"]],
];

/** The markers of quotes and lists that a line begins with. */
const MARKERS = /^(?:[ \t]*(?:>|[-+*](?=[ \t])|\d{1,9}[.)](?=[ \t])))+/;
const MARKER = />|[-+*](?=[ \t])|\d{1,9}[.)](?=[ \t])/g;

/** Markdown as markup that is safe to send. The only way in which it becomes that. */
export function renderMarkdown(text: string): Html {
  const typed = bounded(text);
  return new Html(
    micromark(typed, {
      // Neither is a construct of ours: what looks like one is shown as it was typed.
      extensions: [{ disable: { null: ["htmlFlow", "htmlText", "labelStartImage", ...tooCostly(typed)] } }],
      htmlExtensions: [
        {
          enter: {
            atxHeading() {
              this.lineEndingIfNeeded();
              this.tag("<p><b>");
            },
          },
          exit: {
            atxHeadingSequence: () => undefined,
            atxHeading() {
              this.tag("</b></p>");
            },
            setextHeadingLineSequence: () => undefined,
            setextHeading() {
              const title = this.resume();
              this.lineEndingIfNeeded();
              this.tag("<p><b>");
              this.raw(title);
              this.tag("</b></p>");
              this.setData("slurpAllLineEndings");
            },
          },
        },
      ],
    }),
  );
}

/** Markdown as people would read it aloud, for calendars, cards and titles: its own marks and tags are gone. */
export function markdownText(text: string): string {
  return renderMarkdown(text)
    .text.replaceAll(/<[^>]*>/g, "")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&amp;", "&")
    .trim();
}

function tooCostly(text: string): readonly string[] {
  return COSTLY.flatMap(([marks, constructs]) => ((text.match(marks)?.length ?? 0) > MARKS_MAX ? constructs : []));
}

function bounded(text: string): string {
  const cut = text.length > MARKDOWN_CHARS_MAX ? `${text.slice(0, MARKDOWN_CHARS_MAX)}…` : text;
  return cut.split("\n").map(shallow).join("\n");
}

/** A line without its markers, if it begins with more of them than anybody means. */
function shallow(line: string): string {
  const markers = MARKERS.exec(line)?.[0] ?? "";
  return (markers.match(MARKER)?.length ?? 0) > NESTED_MAX ? line.slice(markers.length) : line;
}
