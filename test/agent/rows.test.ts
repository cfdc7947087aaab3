/** An answer of Prometheus cut into rows: the same whatever pieces it comes in, and whatever stands in its texts. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RowCutter } from "../../agent/core/rows.ts";

function cut(text: string, sizes: readonly number[]): { readonly rows: unknown[]; readonly frame: string } {
  const cutter = new RowCutter();
  const rows: unknown[] = [];
  for (let from = 0, i = 0; from < text.length; i++) {
    const to = from + (sizes[i % sizes.length] ?? 1);
    for (const row of cutter.take(text.slice(from, to))) rows.push(JSON.parse(row));
    from = to;
  }
  return { rows, frame: cutter.frame() };
}

/** What could be taken for the end of a text or of a row. */
const label = fc.oneof(fc.constantFrom('"', "\\", '\\"', "}", "]}", '},{"metric":', "{["), fc.string());
const row = fc.record({
  metric: fc.dictionary(label, label),
  value: fc.tuple(fc.integer(), label),
  histogram: fc.record({ buckets: fc.array(fc.array(label)) }),
});

describe("an answer of rows", () => {
  it("gives each of them once, and keeps what is around them", () => {
    const parts = [
      fc.array(row),
      fc.array(label),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
    ] as const;
    fc.assert(
      fc.property(...parts, fc.constantFrom(undefined, 2), (result, warnings, sizes, indent) => {
        const around = { status: "success", warnings };
        const text = JSON.stringify({ ...around, data: { resultType: "vector", result } }, null, indent);
        const { rows, frame } = cut(text, sizes);
        expect(rows).toEqual(JSON.parse(JSON.stringify(result)));
        expect(JSON.parse(frame)).toEqual({ ...around, data: { resultType: "vector", result: [] } });
      }),
    );
  });

  it.each([
    ["an error", '{"status":"error","error":"parse error: {[\\""}'],
    ["a scalar", '{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}'],
    ["an object instead of a list", '{"status":"success","data":{"result":{"a":{"b":1}}}}'],
    ["a page", "<html>{[</html>"],
    ["nothing", ""],
  ])("finds none in %s, which stays as it is", (_name, text) => {
    expect(cut(text, [7])).toEqual({ rows: [], frame: text });
  });

  it("leaves what is no row where it stands", () => {
    const text = '{"data":{"result":[{"a":1},2,"three",{"b":4},null]}}';
    const frame = '{"data":{"result":[2,"three",null]}}';
    expect(cut(text, [9])).toEqual({ rows: [{ a: 1 }, { b: 4 }], frame });
  });

  it("keeps a row that never ends to itself", () => {
    expect(cut('{"data":{"result":[{"a":1},{"b":[', [5])).toEqual({ rows: [{ a: 1 }], frame: '{"data":{"result":[' });
  });
});
