/** Texts to begin an incident with, as operators write them. They stand with the page's settings. */
import type { Result } from "../../protocol/result.ts";
import { success } from "../../protocol/result.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Template, TemplateAct, TemplateRefusal } from "../core/template.ts";
import { TEMPLATES, templatesAfter, templatesOf } from "../core/template.ts";
import type { BoardBooks } from "./board-books.ts";
import type { BoardMemory } from "./board-memory.ts";
import { freshId } from "./crypto.ts";

export class BoardTemplates {
  readonly #memory: BoardMemory;
  readonly #books: BoardBooks;

  constructor(held: { readonly memory: BoardMemory; readonly books: BoardBooks }) {
    this.#memory = held.memory;
    this.#books = held.books;
  }

  /** What they are afterwards. */
  run(act: TemplateAct, by: string, now: Millis): Result<readonly Template[], TemplateRefusal> {
    const page = this.#books.page();
    const before = templatesOf(page);
    const made = templatesAfter(before, act, freshId);
    if (!made.ok) return made;
    const { incidentTemplates: _, ...rest } = page;
    const own = made.value;
    const after = own ?? TEMPLATES;
    const kept = own === null ? rest : { ...rest, incidentTemplates: own };
    this.#memory.putPage(kept, `template.${act.kind}`, by, now, subjectOf(act, before), changed(before, after));
    return success(after);
  }
}

function subjectOf(act: TemplateAct, before: readonly Template[]): string {
  if (act.kind === "reset") return "all";
  return act.kind === "put" ? act.template.title : (before.find(({ id }) => id === act.id)?.title ?? act.id);
}

/** Those that differ, by their ids. */
function changed(before: readonly Template[], after: readonly Template[]) {
  const by = (list: readonly Template[]) => Object.fromEntries(list.map((one) => [one.id, one]));
  return { before: by(before), after: by(after) };
}
