/** Compares Postgres with what happened: every fact once, or declared lost with the right count, or taken by the world. */
import { MINUTE } from "../../protocol/time.ts";
import type { FactRecord } from "../../protocol/record.ts";
import { type DeclaredGap, type Fact, type Ledger, requestsAt } from "./ledger.ts";
import { type Archive, type EventRow, hourOf, type WindowRow } from "./postgres.ts";

/** A rule that does not hold; `rule` is the same for the same kind of fault. */
export interface Violation {
  readonly rule: "lost" | "doubled" | "wrong sum" | "rollup" | "gap count" | "freed too early" | "stuck" | "broken";
  readonly what: string;
}

/** The first fault found at rest, when all that could be delivered was; null if there is none. */
export function judge(ledger: Ledger, archive: Archive): Violation | null {
  const rows = [...archive.windows.values()];
  const covered = new Set<string>();
  for (const row of rows) {
    const fault = judgeRow(row, covered);
    if (fault !== null) return fault;
  }
  for (const event of archive.events.values())
    if (event.copies > 1) return { rule: "doubled", what: `event ${event.id} is there ${event.copies} times` };
  return judgeFacts(ledger, archive, covered) ?? judgeGaps(ledger, archive) ?? judgeHours(rows, archive);
}

/** Whether Postgres holds what an agent freed. */
export function judgeFreed(ledger: Ledger, archive: Archive, record: FactRecord): Violation | null {
  for (const index of ledger.factsOf(record)) {
    const fact = ledger.facts[index];
    if (fact === undefined || fact.excuse !== null || isThere(fact.record, archive)) continue;
    if (isDeclared(ledger, archive, index)) continue;
    return { rule: "freed too early", what: nameOf(fact.record) };
  }
  return null;
}

function judgeRow(row: WindowRow, covered: Set<string>): Violation | null {
  const name = (): string => `${nameOf({ ...row, kind: "window" })} under ${row.epoch}:${row.seq}`;
  if (row.copies > 1) return { rule: "doubled", what: `${name()} is there ${row.copies} times` };
  let requests = 0;
  for (let at = row.at; at < row.at + row.spanMs; at += MINUTE) {
    const key = `${row.service} ${at}`;
    if (covered.has(key)) return { rule: "doubled", what: `${name()} overlaps another window in ${timeOf(at)}` };
    covered.add(key);
    requests += requestsAt(row.service, at);
  }
  if (requests === row.requests) return null;
  return { rule: "wrong sum", what: `${name()} says ${row.requests}, not ${requests}` };
}

function judgeFacts(ledger: Ledger, archive: Archive, covered: ReadonlySet<string>): Violation | null {
  for (const [index, { record, closed, excuse }] of ledger.facts.entries()) {
    if (!closed || excuse !== null) continue;
    const isHeld =
      record.kind === "window" ? covered.has(`${record.service} ${record.at}`) : archive.events.has(record.id);
    if (!isHeld && !isDeclared(ledger, archive, index)) return { rule: "lost", what: nameOf(record) };
  }
  return null;
}

/** A gap counts what it declares: the minutes of its windows, and its events. Those that were closed again may count again. */
function judgeGaps(ledger: Ledger, archive: Archive): Violation | null {
  for (const { id, record } of archive.events.values()) {
    const known = ledger.gapsOf(id).find((gap) => isSame(gap, record));
    if (known === undefined || known.record.count === known.facts.length) continue;
    const isRepeated = known.facts.some((index) => ledger.facts[index]?.closedAgain === true);
    if (!isRepeated || known.record.count < known.facts.length)
      return { rule: "gap count", what: `gap ${id} says ${known.record.count}, not ${known.facts.length}` };
  }
  return null;
}

function judgeHours(rows: readonly WindowRow[], archive: Archive): Violation | null {
  const hours = new Map<string, number>();
  for (const { service, at, requests } of rows) {
    const hour = hourOf(service, at);
    hours.set(hour, (hours.get(hour) ?? 0) + requests);
  }
  for (const [hour, requests] of archive.hours)
    if (requests !== (hours.get(hour) ?? 0))
      return { rule: "rollup", what: `hour ${hour} says ${requests}, its minutes ${hours.get(hour) ?? 0}` };
  return null;
}

function isThere(record: Fact["record"], archive: Archive): boolean {
  if (record.kind !== "window") return archive.events.has(record.id);
  if (archive.windows.has(`${record.service} ${record.at}`)) return true;
  for (const { service, at, spanMs } of archive.windows.values())
    if (service === record.service && at <= record.at && record.at < at + spanMs) return true;
  return false;
}

function isDeclared(ledger: Ledger, archive: Archive, fact: number): boolean {
  for (const [id, gaps] of ledger.gaps) {
    const row = archive.events.get(id);
    if (row !== undefined && gaps.some((gap) => isSame(gap, row.record) && gap.facts.includes(fact))) return true;
  }
  return false;
}

function isSame({ record }: DeclaredGap, stored: EventRow["record"]): boolean {
  return (
    stored.kind === "gap" && stored.count === record.count && stored.at === record.at && stored.until === record.until
  );
}

export function nameOf(
  record: Pick<FactRecord, "kind" | "at"> & { readonly service?: string; readonly spanMs?: number },
): string {
  const span = record.spanMs === undefined || record.spanMs === MINUTE ? "" : `+${record.spanMs / MINUTE}min`;
  return record.service === undefined
    ? `${record.kind} ${timeOf(record.at)}`
    : `${record.service} ${timeOf(record.at)}${span}`;
}

function timeOf(at: number): string {
  return new Date(at).toISOString().slice(8, 19);
}
