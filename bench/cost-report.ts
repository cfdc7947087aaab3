/** What was counted, as a bill: measured lines first, then what is computed from them, and from what. */
import { SERVICES } from "./agent.ts";
import { dollars, dollarsByKind, MESSAGES_A_REQUEST, OBJECT_GB, plus } from "./prices.ts";
import type { Bill } from "./prices.ts";

/** What workers/metered.js counts of the objects of one class. */
interface ObjectCounts {
  readonly wakes: number;
  readonly calls: Readonly<Record<string, number>>;
  readonly rowsWritten: number;
  readonly rowsRead: number;
  readonly alarmsSet: number;
  readonly busyMs: number;
}

export interface Counts {
  readonly workerRequests: number;
  readonly statements: number;
  readonly statementBytes: number;
  readonly statementMs: number;
  readonly objects: Readonly<Record<string, ObjectCounts>>;
}

/** A deployment of `size` agents before and after `minutes` of pushes, and the pushes' round trips in ms. */
export interface Measured {
  readonly size: number;
  readonly flushMs: number;
  readonly minutes: number;
  readonly before: Counts;
  readonly after: Counts;
  readonly latencies: readonly number[];
}

/** 30 days, as platform.md counts. */
const MINUTES_A_MONTH = 43_200;
const FLUSHES_A_MONTH = MINUTES_A_MONTH / 5;
/** The net under the flushes: set, and run, once in three flush intervals (`alarmAt` of worker/core/outbox.ts). */
const ALARMS_A_MONTH = FLUSHES_A_MONTH / 3;
/** How long a flush holds its object while Neon answers, s: platform.md 4. Here Postgres is on the same machine. */
const FLUSH_S = 0.3;
const PINGS_A_MINUTE = 3;
const VIEWS_A_MONTH = 30e6;
const CLUSTERS = [1, 10, 100, 1_000, 10_000];
const DOLLARS_MAX = 0.15;
const ROWS_MAX = 1.1;
/** Neon's Launch plan, neon.com/docs/introduction/plans, 2026-11-12: dollars a CU-hour and a GB-month. */
const NEON = { cuHour: 0.106, gbMonth: 0.35, leastCu: 0.25 };

const NOTHING: ObjectCounts = { wakes: 0, calls: {}, rowsWritten: 0, rowsRead: 0, alarmsSet: 0, busyMs: 0 };

/** Prints it all. False if a target is missed. */
export function printCosts(sizes: readonly Measured[], flushing: Measured): boolean {
  const flush = flushOf(flushing);
  console.log("\nMEASURED, a minute of each deployment: real pace, sessions, no flush due");
  table(
    ["clusters", ...sizes.map(({ size }) => String(size))],
    [
      ["socket messages a cluster", ...sizes.map((m) => each(m, callsOf(m, "Cluster", isMessage)))],
      ["other requests to Cluster, a cluster", ...sizes.map((m) => each(m, callsOf(m, "Cluster", isRequest)))],
      ["rows written by Cluster, alarms too, a cluster", ...sizes.map((m) => each(m, writtenBy(m, "Cluster")))],
      ["rows read by Cluster, a cluster", ...sizes.map((m) => each(m, spent(m, "Cluster", "rowsRead")))],
      ["Clusters woken, a cluster", ...sizes.map((m) => each(m, spent(m, "Cluster", "wakes")))],
      ["calls of Board by Clusters, a cluster", ...sizes.map((m) => each(m, callsOf(m, "Board", isTell)))],
      ["calls of Board, all", ...sizes.map((m) => String(callsOf(m, "Board", isRequest)))],
      ["rows written by Board, alarms too, all", ...sizes.map((m) => String(writtenBy(m, "Board")))],
      ["rows read by Board, all", ...sizes.map((m) => String(spent(m, "Board", "rowsRead")))],
      ["statements of Board to Postgres, all", ...sizes.map((m) => String(m.after.statements - m.before.statements))],
      ["Cluster busy, ms a push", ...sizes.map((m) => (busyMs(m, "Cluster") / m.latencies.length).toFixed(2))],
      ["Board busy, ms a minute", ...sizes.map((m) => busyMs(m, "Board").toFixed(0))],
      ["push round trip p50, ms", ...sizes.map((m) => quantileOf(m.latencies, 0.5).toFixed(1))],
      ["push round trip p99, ms", ...sizes.map((m) => quantileOf(m.latencies, 0.99).toFixed(1))],
    ],
  );
  console.log(
    `\nMEASURED, ${flush.count} flushes after ${flushing.flushMs / 1_000} s: ${flush.rows.toFixed(2)} rows written, ` +
      `${flush.statements.toFixed(2)} statements, ${flush.bytesARecord.toFixed(0)} bytes a record`,
  );
  return printBill(sizes, flush);
}

function printBill(sizes: readonly Measured[], flush: Flush): boolean {
  const largest = sizes.at(-1) as Measured;
  const cluster = clusterMonth(largest, flush);
  const board = (clusters: number): Bill => boardMonth(sizes, clusters);
  const page: Bill = { ...EMPTY, workerRequests: 2 * VIEWS_A_MONTH, objectRequests: VIEWS_A_MONTH };
  console.log(`\nCOMPUTED from it, dollars a month of 30 days (Cloudflare's documented prices, without allowances)`);
  table(
    ["", "Worker requests", "object requests", "duration", "rows written", "rows read", "all"],
    [
      ["one cluster more: its Cluster", ...kinds(cluster)],
      ["one cluster more: its part of the Board", ...kinds(marginOfBoard(board))],
      ["the page, 1,000,000 views a day", ...kinds(page)],
    ],
  );
  table(
    ["clusters", ...CLUSTERS.map(String)],
    [
      ["clusters and Board", ...CLUSTERS.map((n) => money(dollars(plus(board(n), cluster, n))))],
      ["with the page", ...CLUSTERS.map((n) => money(dollars(plus(plus(board(n), cluster, n), page))))],
      [
        "with the page, after the $5 plan's allowances",
        ...CLUSTERS.map((n) => money(5 + dollars(plus(plus(board(n), cluster, n), page), true))),
      ],
    ],
  );
  printPostgres(flush);
  const margin = dollars(plus(cluster, marginOfBoard(board)));
  const tells = callsOf(largest, "Board", isTell) / largest.size / largest.minutes / 2;
  const rows = cluster.rowsWritten / MINUTES_A_MONTH;
  const checks = [
    check("one cluster more, dollars a month", margin, DOLLARS_MAX),
    check("rows written an agent-minute, flush and alarms included", rows, ROWS_MAX),
    // A little more than one: a minute's edge may have a third tell of a cluster within it.
    check(`calls of the Board a cluster and 30 s, at ${largest.size} clusters`, tells, 1.05),
  ];
  console.log(
    `\nNot measured: an alarm in 15 min is a row and a request; a flush in 5 min holds its object for ${FLUSH_S} s (assumed of Neon); ${PINGS_A_MINUTE} pings a minute count as` +
      `\nmessages; a view is one request for the page and one for its socket, which one Relay takes, though a cached page\nmay cost neither; storage is left out (below $0.001 a cluster).`,
  );
  return checks.every(Boolean);
}

const EMPTY: Bill = { workerRequests: 0, objectRequests: 0, gbSeconds: 0, rowsWritten: 0, rowsRead: 0 };

interface Flush {
  readonly count: number;
  readonly rows: number;
  readonly rowsRead: number;
  readonly statements: number;
  readonly bytesARecord: number;
}

/** What one flush costs, beside the pushes around it: each writes one row a minute, and no agent of these has events. */
function flushOf(measured: Measured): Flush {
  const { size, minutes } = measured;
  const statements = measured.after.statements - measured.before.statements;
  // One statement a flush: what the Board sends is a few, and sent once.
  const count = Math.max(1, statements);
  // Alarms are a matter of time and not of flushes: they are computed.
  const rows = Math.max(0, spent(measured, "Cluster", "rowsWritten") - size * minutes);
  const bytes = measured.after.statementBytes - measured.before.statementBytes;
  return {
    count,
    rows: rows / count,
    rowsRead: spent(measured, "Cluster", "rowsRead") / count,
    statements: statements / count,
    bytesARecord: bytes / (size * minutes * SERVICES),
  };
}

/** A cluster's own objects and requests. */
function clusterMonth(measured: Measured, flush: Flush): Bill {
  const months = MINUTES_A_MONTH / measured.minutes / measured.size;
  const messages = callsOf(measured, "Cluster", isMessage) * months + PINGS_A_MINUTE * MINUTES_A_MONTH;
  return {
    workerRequests: 0,
    objectRequests: messages / MESSAGES_A_REQUEST + callsOf(measured, "Cluster", isRequest) * months + ALARMS_A_MONTH,
    gbSeconds: OBJECT_GB * ((busyMs(measured, "Cluster") / 1_000) * months + FLUSHES_A_MONTH * FLUSH_S),
    rowsWritten: writtenBy(measured, "Cluster") * months + flush.rows * FLUSHES_A_MONTH + ALARMS_A_MONTH,
    rowsRead: spent(measured, "Cluster", "rowsRead") * months + flush.rowsRead * FLUSHES_A_MONTH,
  };
}

/** The Board with so many clusters: between two sizes that were measured in a straight line, and so beyond them. */
function boardMonth(sizes: readonly Measured[], clusters: number): Bill {
  const high = Math.max(
    1,
    sizes.findIndex(({ size }) => size >= clusters),
  );
  const b = sizes.at(sizes.some(({ size }) => size >= clusters) ? high : -1) as Measured;
  const a = sizes[sizes.indexOf(b) - 1] as Measured;
  const share = (clusters - a.size) / (b.size - a.size);
  return plus(plus(boardOf(a), boardOf(a), -share), boardOf(b), share);
}

function boardOf(measured: Measured): Bill {
  const months = MINUTES_A_MONTH / measured.minutes;
  return {
    // The cron's run.
    workerRequests: MINUTES_A_MONTH,
    objectRequests: callsOf(measured, "Board", isRequest) * months,
    gbSeconds: OBJECT_GB * (busyMs(measured, "Board") / 1_000) * months,
    rowsWritten: writtenBy(measured, "Board") * months,
    rowsRead: spent(measured, "Board", "rowsRead") * months,
  };
}

function marginOfBoard(board: (clusters: number) => Bill): Bill {
  return plus(board(1_000), board(999), -1);
}

function printPostgres(flush: Flush): void {
  const rows = SERVICES * MINUTES_A_MONTH;
  const sentMb = (rows * flush.bytesARecord) / 1e6;
  console.log(
    `\nPostgres, a cluster and month: ${FLUSHES_A_MONTH} statements, ${rows / 1e6} M windows, ${sentMb.toFixed(0)} MB sent.` +
      `\nESTIMATE at Neon's documented prices (Launch): a compute of ${NEON.leastCu} CU that never sleeps, because it is written to` +
      `\nevery 5 min, is ${money(NEON.leastCu * 720 * NEON.cuHour)} for all clusters together; a GB kept is ${money(NEON.gbMonth)}. Not in the sums above.`,
  );
}

// ── counts ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const isMessage = (method: string): boolean => method === "webSocketMessage";
/** Ends of sockets are no requests. */
const isRequest = (method: string): boolean => !method.startsWith("webSocket");
const isTell = (method: string): boolean => method === "hear" || method === "hush";

function callsOf({ before, after }: Measured, name: string, counts: (method: string) => boolean): number {
  const sum = ({ objects }: Counts): number =>
    Object.entries(objects[name]?.calls ?? {}).reduce((all, [method, n]) => all + (counts(method) ? n : 0), 0);
  return sum(after) - sum(before);
}

function spent({ before, after }: Measured, name: string, key: Exclude<keyof ObjectCounts, "calls">): number {
  return (after.objects[name] ?? NOTHING)[key] - (before.objects[name] ?? NOTHING)[key];
}

function writtenBy(measured: Measured, name: string): number {
  return spent(measured, name, "rowsWritten") + spent(measured, name, "alarmsSet");
}

function busyMs(measured: Measured, name: string): number {
  return spent(measured, name, "busyMs");
}

function each({ size, minutes }: Measured, count: number): string {
  return (count / size / minutes).toFixed(2);
}

function quantileOf(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
}

// ── print ───────────────────────────────────────────────────────────────────────────────────────────────────────────

function kinds(bill: Bill): string[] {
  return [...Object.values(dollarsByKind(bill)), dollars(bill)].map(money);
}

function money(value: number): string {
  return `$${value.toFixed(value >= 10 ? 0 : value >= 1 ? 2 : 4)}`;
}

function check(name: string, value: number, most: number): boolean {
  console.log(`${name.padEnd(62)}${value.toFixed(4)}, ${value <= most ? "within" : "ABOVE"} ${most}`);
  return value <= most;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const line = ([name = "", ...cells]: readonly string[]): string =>
    name.padEnd(50) + cells.map((cell) => cell.padStart(16)).join("");
  for (const cells of [head, ...rows]) console.log(line(cells));
}
