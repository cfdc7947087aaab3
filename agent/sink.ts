/** Where closed windows go. */
import type { Millis } from "../protocol/time.ts";
import type { openAudit } from "./audit.ts";
import { messageOf } from "./disk.ts";
import type { onChange } from "./log.ts";
import { OwnGolden } from "./own-golden.ts";
import type { WindowSink } from "./source/mesh.ts";
import type { Spool } from "./spool.ts";

/** To disk, or nowhere if that is full. */
export function windowSink(
  dataDir: string,
  held: {
    readonly spool: Spool;
    readonly audit: ReturnType<typeof openAudit> | null;
    readonly surely: () => Millis | null;
    readonly say: ReturnType<typeof onChange>;
  },
): WindowSink {
  const { spool, audit, surely, say } = held;
  return {
    closedUntil: () => spool.closedUntil,
    close(windows, until) {
      const isTaken = spool.append(windows, surely(), until);
      if (isTaken) audit?.write(windows);
      say(
        "disk",
        isTaken ? "info" : "error",
        isTaken
          ? "windows are written"
          : `the disk that holds ${dataDir} is full: no window can be closed; free some of it or give the agent a larger volume`,
      );
      return isTaken;
    },
  };
}

/** Without Prometheus the agent keeps what it learns from itself. */
export function keeping(dataDir: string, sink: WindowSink, say: ReturnType<typeof onChange>): WindowSink {
  const golden = new OwnGolden(dataDir, (error) =>
    say("golden", "error", `points to learn from cannot be kept: ${messageOf(error)}`),
  );
  return {
    closedUntil: () => sink.closedUntil(),
    close(windows, until) {
      const isTaken = sink.close(windows, until);
      if (isTaken) golden.take(windows, until);
      return isTaken;
    },
  };
}
