import { describe, expect, it } from "vitest";
import type { Template, TemplateAct } from "../../worker/core/template.ts";
import {
  filled,
  templateRevision,
  TEMPLATES,
  TEMPLATES_MAX,
  templatesAfter,
  unknownVariables,
} from "../../worker/core/template.ts";

const FACTS = { component: "{{time}}", time: "14:02 UTC", page: "Acme", status: "partial outage" };

describe("what a template leaves open", () => {
  it("is filled in once, and everything else stays as it is", () =>
    expect(
      filled("{{component}} of {{page}}: {{status}} since {{time}} {{7*7}} {{constructor}} {{ time }}", FACTS),
    ).toBe("{{time}} of Acme: partial outage since 14:02 UTC {{7*7}} {{constructor}} {{ time }}"));

  it.each([
    ["{{component}} since {{time}}", []],
    ["{{ time }} and {{constructor}}, {{tiem}} twice: {{tiem}}", ["{{ time }}", "{{constructor}}", "{{tiem}}"]],
    ["{{}}", ["{{}}"]],
    ["braces { alone } mean nothing", []],
  ])("is told of by what cannot be filled in: %s", (text, unknown) => expect(unknownVariables(text)).toEqual(unknown));

  it("by ours is all filled in", () => {
    for (const { name, body } of TEMPLATES) expect(unknownVariables(`${name} ${body}`)).toEqual([]);
  });
});

const { id: _, ...TEXTS } = { ...TEMPLATES[0], title: "Cannot pay" } as Template;
const first = TEMPLATES[0] as Template;
const put = (asked: Partial<Extract<TemplateAct, { kind: "put" }>>): TemplateAct => ({
  kind: "put",
  id: null,
  revision: null,
  template: TEXTS,
  ...asked,
});
const after = (act: TemplateAct, held: readonly Template[] = TEMPLATES) =>
  templatesAfter(held, act, () => "made00000000");

describe("an operator", () => {
  it("makes one, which stands last", () =>
    expect(after(put({}))).toEqual({ ok: true, value: [...TEMPLATES, { id: "made00000000", ...TEXTS }] }));

  it("changes one in its place, which keeps its id", () => {
    const changed = { id: first.id, ...TEXTS };
    const act = put({ id: first.id, revision: templateRevision(first) });
    expect(after(act)).toEqual({ ok: true, value: [changed, ...TEMPLATES.slice(1)] });
  });

  it("deletes one, and goes back to ours", () => {
    const act = { kind: "remove", id: first.id, revision: templateRevision(first) } as const;
    expect(after(act)).toEqual({ ok: true, value: TEMPLATES.slice(1) });
    expect(after({ kind: "reset" }, [])).toEqual({ ok: true, value: null });
  });

  it.each<[string, TemplateAct, string, Template | null]>([
    ["one that is gone", put({ id: "gone", revision: "x" }), "unknown", null],
    ["one that somebody else changed", put({ id: first.id, revision: "older" }), "stale", first],
    ["the deletion of one that somebody else changed", { kind: "remove", id: first.id, revision: "" }, "stale", first],
    ["another one of the same title", put({ template: { ...TEXTS, title: first.title } }), "same_title", first],
  ])("is refused %s", (_name, act, code, held) => expect(after(act)).toEqual({ ok: false, failure: { code, held } }));

  it("has as many as fit, and may still change one of them", () => {
    const many = Array.from({ length: TEMPLATES_MAX }, (_one, i) => ({ ...first, id: `t${i}`, title: `T ${i}` }));
    expect(after(put({}), many)).toEqual({ ok: false, failure: { code: "too_many", held: null } });
    const [one = first] = many;
    expect(after(put({ id: one.id, revision: templateRevision(one) }), many).ok).toBe(true);
  });
});
