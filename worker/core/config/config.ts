/** All sections together: what stands as a file, a file over what stands, and what that would change. */
import type { Result } from "../../../protocol/result.ts";
import { failure, success } from "../../../protocol/result.ts";
import { shortHash } from "../hash.ts";
import { anomaliesSection } from "./anomalies.ts";
import { chartsSection } from "./charts.ts";
import { checklistSection } from "./checklist.ts";
import { componentsSection } from "./components.ts";
import { draftRulesSection } from "./draft-rules.ts";
import { ignoredSection } from "./ignored.ts";
import { incidentTemplatesSection } from "./incident-templates.ts";
import { limitsSection } from "./limits.ts";
import { noticeSection } from "./notice.ts";
import { pageSection } from "./page.ts";
import { seriesSection } from "./series.ts";
import type { Change } from "./plan.ts";
import { changesOf } from "./plan.ts";
import type { ConfigFault, Configured, Making, Section } from "./section.ts";

/** In the order in which they are written: what names components comes after them. */
export const SECTIONS = [
  pageSection,
  limitsSection,
  componentsSection,
  chartsSection,
  draftRulesSection,
  incidentTemplatesSection,
  anomaliesSection,
  ignoredSection,
  noticeSection,
  checklistSection,
  seriesSection,
] as const;

type Sections = (typeof SECTIONS)[number];
type WrittenBy<One> = One extends Section<string, infer Written> ? Written : never;
/** A file. `version` is of the format. */
export type ConfigFile = { readonly version: 1 } & {
  readonly [One in Sections as One["name"]]?: WrittenBy<One>;
};
/** One that says all. */
export type WholeFile = Required<ConfigFile>;

/** Each section takes what it read itself, or what its schema let through. */
type AnySection = Section<keyof ConfigFile, never>;
const sections = SECTIONS as unknown as readonly AnySection[];

export function exported(state: Configured): WholeFile {
  const said = sections.map(({ name, read }) => [name, read(state)] as const);
  return { version: 1, ...Object.fromEntries(said) } as WholeFile;
}

/** Stands for all that a file can say. */
export function configRevision(state: Configured): string {
  return shortHash(JSON.stringify(exported(state)));
}

/** What a file makes of what stands; the first fault of each section that has one. */
export function applied(
  file: ConfigFile,
  state: Configured,
  making: Making,
): Result<{ readonly state: Configured; readonly changes: readonly Change[] }, readonly ConfigFault[]> {
  let after = state;
  const faults: ConfigFault[] = [];
  const made = new Set<string>();
  const noting: Making = {
    ...making,
    freshId() {
      const id = making.freshId();
      made.add(JSON.stringify(id));
      return id;
    },
  };
  for (const { name, write } of sections) {
    const said = file[name] as never;
    if (said === undefined) continue;
    const written = write(after, said, noting);
    if (written.ok) after = written.value;
    else faults.push(written.failure);
  }
  if (faults.length > 0) return failure(faults);
  const changes = sections.flatMap((section) => changesOf(section, section.read(state), section.read(after)));
  return success({ state: after, changes: changes.map((change) => withoutMade(change, made)) });
}

/** What is made up anew with each plan is no news: an id, and with it the moment from when on a thing is known. */
function withoutMade(change: Change, made: ReadonlySet<string>): Change {
  const isMade = change.fields.some(({ path, after }) => path === "id" && made.has(after ?? ""));
  if (!isMade) return change;
  return { ...change, fields: change.fields.filter(({ path }) => path !== "id" && path !== "since") };
}
