import { closeSync, mkdirSync, openSync, renameSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/** A log that grows past this is moved to `.old`, bytes: two files a child, and no more. */
const LOG_BYTES_MAX = 4_194_304;

export interface Log {
  write(text: string): void;
  /** The last line that was not empty, for a message that says where the rest is. */
  lastLine(): string | null;
  close(): void;
}

export function openLog(file: string): Log {
  mkdirSync(dirname(file), { recursive: true });
  let handle = openSync(file, "a", 0o600);
  let bytes = statSync(file).size;
  let last: string | null = null;
  let open = true;
  return {
    write(text) {
      if (!open) return;
      if (bytes > LOG_BYTES_MAX) {
        closeSync(handle);
        renameSync(file, `${file}.old`);
        handle = openSync(file, "a", 0o600);
        bytes = 0;
      }
      bytes += writeSync(handle, text);
      last =
        text
          .split("\n")
          .findLast((line) => line.trim() !== "" && !line.startsWith("---"))
          ?.trim() ?? last;
    },
    lastLine: () => last,
    close() {
      open = false;
      closeSync(handle);
    },
  };
}
