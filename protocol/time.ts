/** A moment: milliseconds since 1970-01-01T00:00:00Z. Outside of the program moments are RFC 3339. */
export type Millis = number;

export const SECOND = 1_000;
export const MINUTE = 60_000;
export const HOUR = 3_600_000;
export const DAY = 86_400_000;

/** The start of the whole minute of Unix time that holds `at`: windows are cut there. */
export function minuteOf(at: Millis): Millis {
  return Math.floor(at / MINUTE) * MINUTE;
}

/** Whether the day that an RFC 3339 moment begins with exists: `Date.parse` takes 31 February for 3 March. */
export function namesDay(text: string): boolean {
  const [year = 0, month = 0, day = 0] = text.slice(0, "YYYY-MM-DD".length).split("-").map(Number);
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0;
  return day >= 1 && day <= days;
}
