import { closeSync, mkdirSync, openSync, renameSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { stripVTControlCharacters } from "node:util";

/** A log that grows past this is moved to `.old`, bytes: two files a child, and no more. */
const LOG_BYTES_MAX = 4_194_304;

export interface Log {
  write(text: string): void;
  /** The last line that names an error, else the last one: for a message that says where the rest is. */
  lastWords(): string | null;
  close(): void;
}

export function openLog(file: string): Log {
  mkdirSync(dirname(file), { recursive: true });
  let handle = openSync(file, "a", 0o600);
  let bytes = statSync(file).size;
  let last: string | null = null;
  let lastError: string | null = null;
  let open = true;
  return {
    write(coloured) {
      if (!open) return;
      if (bytes > LOG_BYTES_MAX) {
        closeSync(handle);
        renameSync(file, `${file}.old`);
        handle = openSync(file, "a", 0o600);
        bytes = 0;
      }
      const text = stripVTControlCharacters(coloured);
      bytes += writeSync(handle, text);
      const lines = text.split("\n").map((line) => line.trim());
      last = lines.findLast((line) => line !== "" && !line.startsWith("---")) ?? last;
      lastError = lines.findLast((line) => /error|must|cannot|refuse/i.test(line) && line.length < 400) ?? lastError;
    },
    lastWords: () => lastError ?? last,
    close() {
      open = false;
      closeSync(handle);
    },
  };
}
