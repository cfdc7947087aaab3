/**
 * A spool in a process of its own, that can be killed or be given a disk that is too small.
 *
 *   node spool-process.ts work DIR    appends, numbers and frees until it is killed, and says what it did once it is done
 *   node spool-process.ts full DIR    fills the disk that holds DIR and says what the spool does about it
 *   node spool-process.ts gap DIR     the same, with room for a note of what is closed, and none for a gap
 *   node spool-process.ts large DIR   fills a spool with idle windows, and says what memory it takes to number them all
 */
import { appendFileSync, existsSync, rmSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { Spool } from "../../agent/spool.ts";
import type { EventRecord, FactRecord, WindowRecord } from "../../protocol/record.ts";
import { DAY, MINUTE } from "../../protocol/time.ts";

/** More than the reserve takes. */
const MINUTES = 3_000;
const NOON = 1_795_392_000_000;
const [, , mode = "", dir = ""] = process.argv;

/** Written at once, so that a killed process has said it. */
function say(...words: readonly (string | number)[]): void {
  writeSync(1, `${words.join(" ")}\n`);
}

function open(): Spool {
  const fail = (message: string): never => {
    say("fail", message);
    process.exit(74);
  };
  return new Spool({ dataDir: dir, fail });
}

function windowsOf(at: number): WindowRecord[] {
  const latency = {
    scheme: "explicit" as const,
    bounds: "istio" as const,
    counts: Array.from({ length: 20 }, () => 1 / 3),
    sum: 9,
  };
  return ["shop/cart", "shop/till"].map((service) => ({
    kind: "window",
    service,
    at,
    spanMs: MINUTE,
    requests: 7,
    errors: 0,
    latency,
  }));
}

function event(n: number): EventRecord {
  return { kind: "pod.oom_killed", id: n.toString(16).padStart(32, "0"), at: NOON + n, subject: "shop/cart", body: {} };
}

function keyOf(record: FactRecord): string {
  return record.kind === "window" ? `${record.service}@${(record.at - NOON) / MINUTE}` : record.id;
}

function close(spool: Spool): boolean {
  const at = spool.closedUntil ?? NOON;
  return spool.append(windowsOf(at), at + MINUTE, at + MINUTE);
}

function work(): never {
  const spool = open();
  for (let round = 0; ; round++) {
    if (!close(spool)) throw new Error("the disk is full");
    say("closed", ((spool.closedUntil ?? NOON) - NOON) / MINUTE);
    const { first, items } = spool.batch(spool.next, 1 + (round % 5), 1e9);
    items.forEach((record, i) => say("number", first + i, keyOf(record)));
    if (round % 3 === 0) {
      spool.acknowledge(Math.min(spool.next, spool.base + (round % 7)));
      say("freed", spool.base);
    }
  }
}

/** Takes what is left of the disk. */
function fill(): void {
  for (let bytes = 65_536; bytes >= 1; bytes = Math.floor(bytes / 2)) {
    try {
      for (;;) appendFileSync(join(dir, "filler"), Buffer.alloc(bytes, 1));
    } catch {
      // No room for so many.
    }
  }
}

function closeWhileItGoes(spool: Spool): number {
  let count = 0;
  while (count < 20_000 && close(spool)) count++;
  return count;
}

function numberAll(spool: Spool): number {
  while (spool.batch(spool.next, 500, 1e9).items.length > 0);
  return spool.next - 1;
}

function full(): void {
  const spool = open();
  for (let minute = 0; minute < MINUTES && close(spool); minute++);
  spool.batch(1, 10, 1e9);
  fill();
  // What is left of the last block.
  closeWhileItGoes(spool);
  say("windows", spool.waiting + 10, close(spool) ? "taken" : "wait");
  say("event", spool.append([event(1)], NOON) ? "taken" : "waits");
  const { id } = spool;
  spool.close();
  const again = open();
  say("again", again.id === id ? "the same" : "another", again.next, again.damagedAtStart, again.waiting);
  say("numbered", numberAll(again));
  say("windows", close(again) ? "taken" : "wait");
  again.acknowledge(again.next);
  say("held", again.next - again.base);
  say("windows", close(again) ? "taken" : "wait");
  // The same once more, and nothing is kept for it.
  rmSync(join(dir, "spool", "reserve"), { force: true });
  fill();
  closeWhileItGoes(again);
  again.close();
  const last = open();
  say("reserve", existsSync(join(dir, "spool", "reserve")) ? "kept" : "none");
  say("last", last.id === id ? "the same" : "another", last.damagedAtStart);
  for (let n = 2; n < 10_000; n++) last.append([event(n)], NOON);
}

/** Bytes that the last page of the spool's segment still holds. */
function slack(): number {
  return 4_096 - (statSync(join(dir, "spool", "00000001.segment")).size % 4_096);
}

function gap(): void {
  const spool = open();
  for (let length = 1; length < 50 || slack() < 130 || slack() > 250; length++) {
    const at = spool.closedUntil ?? NOON;
    const service = `shop/${"x".repeat(1 + (length % 60))}`;
    const idle = { kind: "window" as const, service, at, spanMs: MINUTE, requests: 0, errors: 0, latency: null };
    spool.append([idle], at + MINUTE, at + MINUTE);
  }
  say("windows", spool.waiting);
  fill();
  const later = (spool.closedUntil ?? NOON) + 8 * DAY;
  say("closed", spool.append([], later, later) ? "yes" : "no", spool.waiting);
  for (let n = 1; n <= 3; n++) spool.append([event(n)], later);
  const { items } = spool.batch(1, 500, 1e9);
  for (const record of items) say(record.kind, record.kind === "gap" ? record.count : 1);
}

/** As many windows of idle services as fit, a hundred minutes a transaction; how many those are. */
function fillWithIdle(): number {
  const spool = open();
  const close = (minute: number): boolean =>
    spool.append(
      Array.from({ length: 5_000 }, (_, i) => ({
        kind: "window" as const,
        service: `shop-production/checkout-${i % 50}`,
        at: NOON + (minute + Math.floor(i / 50)) * MINUTE,
        spanMs: MINUTE,
        requests: 0,
        errors: 0,
        latency: null,
      })),
      null,
      NOON + (minute + 100) * MINUTE,
    );
  for (let minute = 0; minute < 5_200; minute += 100) {
    close(minute);
    // One that has its number does not become coarser: there are never more records than these.
    numberAll(spool);
  }
  spool.close();
  return spool.next - spool.base;
}

/** The worst that can be: all that fits, and each with a number in two epochs. */
function large(): void {
  const held = fillWithIdle();
  const spool = open();
  spool.renew();
  spool.adopt(NOON, 1);
  numberAll(spool);
  say("held", held, spool.next - spool.base);
  say("peak", Math.round(process.resourceUsage().maxRSS / 1_024));
}

if (mode === "work") work();
else if (mode === "gap") gap();
else if (mode === "large") large();
else full();
