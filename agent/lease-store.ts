/**
 * What the actuator remembers over a restart: the newest desired state (so that it never goes back), the changes that
 * the budget counts, and each target's memory. Written before the cluster is touched. Losing it loses no replicas: the
 * deployments carry what a restore needs.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { DesiredStateSchema, LEASE_STATES, LeaseReportSchema, SignedDesiredSchema } from "../protocol/lease.ts";

const FILE = "leases.json";

const Moment = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const LeaseSchema = DesiredStateSchema.entries.leases.pipe[0].item;
const MemorySchema = v.strictObject({
  inForce: v.nullable(v.strictObject({ generation: Moment, at: Moment, settled: v.boolean() })),
  reverts: Moment,
  ending: v.nullable(
    v.strictObject({
      generation: Moment,
      state: v.picklist(LEASE_STATES),
      reason: v.string(),
      at: Moment,
      lease: v.nullable(LeaseSchema),
    }),
  ),
  acknowledged: v.nullable(LeaseSchema),
  /** Absent in what an earlier version wrote. */
  note: v.optional(v.nullable(v.string()), null),
  lease: v.nullable(LeaseSchema),
  result: v.nullable(LeaseReportSchema.entries.targets.pipe[0].item),
});
export type StoredTarget = Readonly<v.InferOutput<typeof MemorySchema>>;

const StoreSchema = v.strictObject({
  v: v.literal(1),
  desired: v.nullable(SignedDesiredSchema),
  /** Generation of the newest desired state taken in. */
  generation: Moment,
  changes: v.array(v.strictObject({ target: v.string(), generation: Moment, at: Moment })),
  targets: v.record(v.string(), MemorySchema),
});
export type LeaseStore = Readonly<v.InferOutput<typeof StoreSchema>>;

const EMPTY: LeaseStore = { v: 1, desired: null, generation: 0, changes: [], targets: {} };

/** What was kept; nothing at the first start, and nothing where the file is damaged: the annotations then tell the rest. */
export function readLeaseStore(dataDir: string): LeaseStore {
  try {
    const stored = v.safeParse(StoreSchema, JSON.parse(readFileSync(join(dataDir, FILE), "utf8")));
    return stored.success ? stored.output : EMPTY;
  } catch {
    return EMPTY;
  }
}

/** Replaces the file as a whole, on the disk before it returns; false if the disk refuses. */
export function writeLeaseStore(dataDir: string, store: LeaseStore): boolean {
  try {
    mkdirSync(dataDir, { recursive: true });
    const path = join(dataDir, FILE);
    writeSynced(`${path}.new`, JSON.stringify(store));
    renameSync(`${path}.new`, path);
    const folder = openSync(dataDir, "r");
    fsyncSync(folder);
    closeSync(folder);
    return true;
  } catch {
    return false;
  }
}

function writeSynced(path: string, text: string): void {
  const file = openSync(path, "w", 0o600);
  try {
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
