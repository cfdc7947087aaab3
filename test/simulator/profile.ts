/** Which troubles a world has: few at a time, so that each is met alone and in company, and small bounds so that they are reached. */
import { MINUTE, SECOND } from "../../protocol/time.ts";
import type { Dice } from "./dice.ts";

export interface Profile {
  readonly clusters: number;
  /** Whether the agents' disks are small. */
  readonly isTight: boolean;
  /** Steps of a hundred that something goes wrong in. */
  readonly troublePercent: number;
  readonly services: readonly string[];
  readonly steps: number;
  readonly batchMax: number;
  readonly spoolRecordsMax: number;
  readonly outboxRecordsMax: number;
  readonly flushRecordsMax: number;
  readonly flushIntervalMs: number;
  readonly lossyNet: boolean;
  readonly sessions: boolean;
  readonly crashes: boolean;
  readonly diskLoss: boolean;
  readonly zombies: boolean;
  readonly copies: boolean;
  readonly agentClock: boolean;
  /** Never where the object goes back: an epoch is unique over that because of the clock. */
  readonly edgeClock: boolean;
  readonly evictions: boolean;
  /** Either the object or Postgres goes back in time, never both: with both, what each was to keep for the other is gone. */
  readonly disaster: "none" | "rewind" | "restore";
  readonly postgresDown: boolean;
  readonly slowPostgres: boolean;
  readonly badRecords: boolean;
  readonly damage: boolean;
  readonly longPauses: boolean;
}

const UNBOUNDED = 10_000;

/** Draws a world's troubles. */
export function profileOf(dice: Dice): Profile {
  const isTight = dice.chance(35);
  const disaster = dice.chance(30) ? "rewind" : dice.chance(35) ? "restore" : "none";
  return {
    clusters: dice.chance(88) ? 1 : dice.between(2, 3),
    isTight,
    troublePercent: dice.between(8, 24),
    services: isTight || dice.chance(60) ? ["shop/web"] : ["shop/web", "shop/pay"],
    steps: dice.between(30, 100),
    batchMax: dice.between(2, 6),
    spoolRecordsMax: isTight ? dice.between(18, 30) : UNBOUNDED,
    outboxRecordsMax: dice.chance(15) ? dice.between(4, 10) : UNBOUNDED,
    flushRecordsMax: dice.between(3, 12),
    flushIntervalMs: dice.chance(50) ? 10 * SECOND : MINUTE,
    lossyNet: dice.chance(60),
    sessions: dice.chance(40),
    crashes: dice.chance(60),
    diskLoss: dice.chance(15),
    zombies: dice.chance(disaster === "rewind" ? 60 : 35),
    copies: dice.chance(isTight ? 35 : 20),
    agentClock: dice.chance(isTight ? 40 : 20),
    edgeClock: dice.chance(6) && disaster !== "rewind",
    evictions: dice.chance(60),
    disaster,
    postgresDown: dice.chance(20),
    slowPostgres: dice.chance(50),
    badRecords: dice.chance(15),
    damage: dice.chance(8),
    longPauses: dice.chance(12),
  };
}
