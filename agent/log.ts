/** Log lines to stdout: one JSON object a line, so that no name or message can forge another line. */
export type Level = "info" | "warn" | "error";
export type Log = (
  level: Level,
  message: string,
  facts?: Readonly<Record<string, string | number | boolean | null>>,
) => void;

export const log: Log = (level, message, facts = {}) => {
  process.stdout.write(`${JSON.stringify({ at: new Date().toISOString(), level, message, ...facts })}\n`);
};

/** Logs a state when it changes, not each time it is seen: a source that is down for an hour is two lines. */
export function onChange(write: Log): (subject: string, level: Level, message: string) => void {
  const last = new Map<string, string>();
  return (subject, level, message) => {
    if (last.get(subject) === message) return;
    last.set(subject, message);
    write(level, message, { subject });
  };
}
