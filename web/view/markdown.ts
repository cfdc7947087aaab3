/**
 * What people typed in an incident or a maintenance, as markup. CommonMark without its ways out: HTML and images stay
 * text, addresses are http, https or mail (others are emptied), headings are bold lines, because the page has its own.
 */
import { micromark } from "micromark";
import { Html } from "./html.ts";

/** More is cut off: 64 KiB take a tenth of a second at most. An update may have 25,000 characters. */
export const MARKDOWN_CHARS_MAX = 65_536;
/** Quotes and lists within each other on one line. Each level costs the parser the rest of the line once more. */
const NESTED_MAX = 8;

/** The markers of quotes and lists that a line begins with. */
const MARKERS = /^(?:[ \t]*(?:>|[-+*](?=[ \t])|\d{1,9}[.)](?=[ \t])))+/;
const MARKER = />|[-+*](?=[ \t])|\d{1,9}[.)](?=[ \t])/g;

/** Markdown as markup that is safe to send. The only way in which it becomes that. */
export function renderMarkdown(text: string): Html {
  return new Html(
    micromark(bounded(text), {
      // Neither is a construct of ours: what looks like one is shown as it was typed.
      extensions: [{ disable: { null: ["htmlFlow", "htmlText", "labelStartImage"] } }],
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

function bounded(text: string): string {
  const cut = text.length > MARKDOWN_CHARS_MAX ? `${text.slice(0, MARKDOWN_CHARS_MAX)}…` : text;
  return cut.split("\n").map(shallow).join("\n");
}

/** A line without its markers, if it begins with more of them than anybody means. */
function shallow(line: string): string {
  const markers = MARKERS.exec(line)?.[0] ?? "";
  return (markers.match(MARKER)?.length ?? 0) > NESTED_MAX ? line.slice(markers.length) : line;
}
