/** `windows.log`: the key of every window that was closed. What a test or an auditor compares the edge with. */
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { isDiskFull } from "./disk.ts";
import type { WindowRecord } from "../protocol/record.ts";

export interface Audit {
  /** Called when the windows are safe in the spool, never before. */
  write(windows: readonly WindowRecord[]): void;
  close(): void;
}

/**
 * Opens the log in `dataDir`. A crash between the spool's fsync and the log leaves a window in the spool (`held`) whose
 * line is missing: it is written now.
 */
export function openAudit(dataDir: string, cluster: string, held: readonly WindowRecord[]): Audit {
  const file = join(dataDir, "windows.log");
  const fd = openSync(file, "a", 0o600);
  const keyOf = ({ service, at }: WindowRecord): string =>
    `${cluster}/${service} ${new Date(at).toISOString().replace(".000Z", "Z")}`;
  let owed = Buffer.alloc(0);
  const write = (windows: readonly WindowRecord[]): void => {
    owed = Buffer.concat([owed, Buffer.from(windows.map((window) => `${keyOf(window)}\n`).join(""))]);
    try {
      while (owed.length > 0) owed = owed.subarray(writeSync(fd, owed));
    } catch (error) {
      // On a full disk the lines wait for the next ones, or for the next start.
      if (!isDiskFull(error)) throw error;
    }
  };
  const written = new Set(readFileSync(file, "utf8").split("\n"));
  write(held.filter((window) => !written.has(keyOf(window))));
  return { write, close: () => closeSync(fd) };
}
