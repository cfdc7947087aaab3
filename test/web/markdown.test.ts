import { describe, expect, it } from "vitest";
import { MARKDOWN_CHARS_MAX, markdownText, renderMarkdown } from "../../web/view/markdown.ts";
import { HOSTILE_MARKDOWN } from "./announcements.ts";

const html = (text: string): string => renderMarkdown(text).text;

describe("what people typed", () => {
  it.each([
    ["emphasis", "**Payments** *fail*", "<p><strong>Payments</strong> <em>fail</em></p>"],
    ["a list", "- one\n- two", "<ul>\n<li>one</li>\n<li>two</li>\n</ul>"],
    ["code", "`kubectl`", "<p><code>kubectl</code></p>"],
    ["a link", "[why](https://a.example/?b&c)", '<p><a href="https://a.example/?b&amp;c">why</a></p>'],
    ["an address", "<https://a.example>", '<p><a href="https://a.example">https://a.example</a></p>'],
    ["a heading as a bold line", "# What happened\nAll of it.", "<p><b>What happened</b></p>\n<p>All of it.</p>"],
    ["an underlined heading too", "What *happened*\n===", "<p><b>What <em>happened</em></b></p>"],
    ["HTML as text", "a <b>c</b>", "<p>a &lt;b&gt;c&lt;/b&gt;</p>"],
    ["no image", "![x](https://a.example/x.png)", '<p>!<a href="https://a.example/x.png">x</a></p>'],
    ["no address that is a script", "[x](javascript:alert(1))", '<p><a href="">x</a></p>'],
    ["no address that is a document", "[x](data:text/html,hi)", '<p><a href="">x</a></p>'],
  ])("shows %s", (_name, typed, markup) => expect(html(typed)).toBe(markup));

  it.each(HOSTILE_MARKDOWN)("is inert: %s", (typed) => {
    const markup = html(typed);
    // Every tag that comes out is one of ours, with no attribute but a link's address and title and a list's start.
    const tags = markup.match(/<[^>]*>/g) ?? [];
    for (const tag of tags) {
      expect(tag).toMatch(
        /^<\/?(?:p|b|em|strong|ul|li|blockquote|pre|code|hr \/|br \/)>$|^<ol(?: start="\d+")?>$|^<\/(?:a|ol)>$|^<code class="language-[^"]*">$|^<a href="[^"]*"(?: title="[^"]*")?>$/,
      );
    }
    expect(markup.replaceAll(/<[^>]*>/g, "")).not.toMatch(/[<>]/);
    for (const [, address = ""] of markup.matchAll(/href="([^"]*)"/g))
      expect(address).toMatch(/^$|^(?:https?|mailto):|^[^:]*$/i);
  });

  it("is cut after 64 KiB", () => {
    const cut = html("a".repeat(MARKDOWN_CHARS_MAX + 9));
    expect(cut).toBe(`<p>${"a".repeat(MARKDOWN_CHARS_MAX)}…</p>`);
  });

  it.each([
    ["quotes", ">", "<blockquote>"],
    ["quotes with space", "> ", "<blockquote>"],
    ["numbers", "1. ", "<ol>"],
    ["lists of quotes", "- > ", "<blockquote>"],
  ])("takes no time for ten thousand nested %s", (_name, marker, tag) => {
    const startedAt = performance.now();
    expect(html(`${marker.repeat(10_000)}a`)).not.toContain(tag);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect(html(`${marker.repeat(3)}a`)).toContain(tag);
  });

  it.each(["é*", "a\n===\n", "[a](b)", "> a\n>> b\n", "- a\n  - b\n", "*a _b* c_ "])(
    "spends no time on a text of nothing but %j, and shows it as it was typed",
    (mark) => {
      const before = process.cpuUsage();
      const shown = html(mark.repeat(25_000 / mark.length));
      const { user, system } = process.cpuUsage(before);
      expect((user + system) / 1_000).toBeLessThan(2_000);
      expect(shown).toContain(mark.trim().replaceAll(">", "&gt;").split("\n")[0]);
    },
  );

  it("takes a long text of a person's for what it is", () => {
    const text = "- **Done**: [see](https://a.example/x) _this_.\n> quoted\n\n".repeat(150);
    expect(html(text).match(/<strong>Done<\/strong>: <a href="https:\/\/a.example\/x">see<\/a>/g)).toHaveLength(150);
  });

  it("is read aloud without its marks", () =>
    expect(markdownText('# Down\n\n**Some** <b> & "more" [fail](https://a.example)')).toBe(
      'Down\nSome <b> & "more" fail',
    ));
});
