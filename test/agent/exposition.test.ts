import { describe, expect, it } from "vitest";
import { parseExposition } from "../../agent/core/exposition.ts";

const any = (): boolean => true;

describe("the text format", () => {
  it.each([
    ["a bare counter", "up 1", [["up", {}, 1]]],
    ["labels", 'a{b="c",d="e"} 2.5', [["a", { b: "c", d: "e" }, 2.5]]],
    ["a comma behind the last label", 'a{b="c",} 2', [["a", { b: "c" }, 2]]],
    ["no labels in braces", "a{} 2", [["a", {}, 2]]],
    ["spaces around everything", ' a{ b = "c" , d="e" }  2  ', [["a", { b: "c", d: "e" }, 2]]],
    [
      "a brace, a quote and a comma in a value",
      String.raw`a{b="}\",x=\"",c="\\n\n"} 1`,
      [["a", { b: '}",x="', c: "\\n\n" }, 1]],
    ],
    ["a timestamp", "a 1 1395066363000", [["a", {}, 1]]],
    ["an exemplar", 'a_bucket{le="1"} 17 # {trace_id="x"} 0.67 1.5', [["a_bucket", { le: "1" }, 17]]],
    [
      "exponents and infinities",
      "a 1.5e+06\nb +Inf\nc -Inf",
      [
        ["a", {}, 1.5e6],
        ["b", {}, Infinity],
        ["c", {}, -Infinity],
      ],
    ],
    ["comments, types and an end", "# HELP a text\n# TYPE a counter\n\na 1\n# EOF\n", [["a", {}, 1]]],
    [
      "carriage returns",
      "a 1\r\nb 2\r\n",
      [
        ["a", {}, 1],
        ["b", {}, 2],
      ],
    ],
    ["a tab before the value", "a\t3", [["a", {}, 3]]],
  ] as const)("reads %s", (_name, text, expected) => {
    const { samples, malformed } = parseExposition(text, any);
    expect(samples.map(({ name, labels, value }) => [name, labels, value])).toEqual(expected);
    expect(malformed).toBe(0);
  });

  it.each([
    ["a value that is no number", "a one"],
    ["no value", "a"],
    ["no value behind labels", 'a{b="c"}'],
    ["an open brace", 'a{b="c" 1'],
    ["an open quote", 'a{b="c} 1'],
    ["labels without a comma between", 'a{b="c"d="e"} 1'],
    ["a name that begins with a digit", "1a 2"],
    ["hexadecimal", "a 0x10"],
    ["a page of HTML", "<html>"],
  ])("counts and leaves out %s", (_name, text) => {
    expect(parseExposition(`${text}\nok 1`, any)).toMatchObject({ samples: [{ name: "ok", value: 1 }], malformed: 1 });
  });

  it("keeps NaN as such, for its reader to leave out", () => {
    expect(parseExposition("a NaN", any).samples[0]?.value).toBeNaN();
  });

  it("knows a series by its name and labels as written", () => {
    expect(parseExposition('a{b="c"} 1 5\na{b="d"} 1', any).samples.map(({ series }) => series)).toEqual([
      'a{b="c"}',
      'a{b="d"}',
    ]);
  });

  it("reads a megabyte of one long bad line in no time", () => {
    const started = performance.now();
    parseExposition(`a{${'b="c" '.repeat(170_000)}`, any);
    parseExposition(`a{b="${"\\".repeat(1_000_000)}`, any);
    expect(performance.now() - started).toBeLessThan(1_000);
  });
});
