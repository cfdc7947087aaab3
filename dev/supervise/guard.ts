/**
 * Ends the children when the supervisor cannot: `kill -9` runs no handler. A shell of one megabyte reads the groups to
 * end from a pipe; when the pipe closes, its writer is dead or has nothing left to guard.
 */
import { spawn } from "node:child_process";

// `kill -TERM -- -1234` is not understood by dash; `kill -s TERM` is POSIX.
const SCRIPT = `trap '' INT TERM HUP
groups=
while IFS= read -r line; do groups=$line; done
for g in $groups; do kill -s TERM -- "-$g" 2>/dev/null; done
[ -n "$groups" ] && sleep 2
for g in $groups; do kill -s KILL -- "-$g" 2>/dev/null; done
exit 0`;

export interface Guard {
  /** The process groups that must not outlive this process. */
  watch(groups: readonly number[]): void;
}

export function startGuard(): Guard {
  const shell = spawn("/bin/sh", ["-c", SCRIPT], { detached: true, stdio: ["pipe", "ignore", "ignore"] });
  // A guard that died guards nothing, and is no reason to stop what runs.
  shell.on("error", () => undefined);
  shell.stdin.on("error", () => undefined);
  shell.unref();
  return {
    watch(groups) {
      shell.stdin.write(`${groups.join(" ")}\n`);
    },
  };
}
