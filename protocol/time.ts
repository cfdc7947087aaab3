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
