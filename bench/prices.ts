/** From counted things to dollars a month. Cloudflare's prices are those of its documentation, paid plan, July 2026. */

/** What a month brings on the bill. */
export interface Bill {
  readonly workerRequests: number;
  /** Calls, HTTP requests, alarms, and a twentieth of a message that comes in over a socket. */
  readonly objectRequests: number;
  readonly gbSeconds: number;
  readonly rowsWritten: number;
  readonly rowsRead: number;
}

/** Dollars a million, and what of it the plan includes a month. */
const PRICES: Readonly<Record<keyof Bill, { readonly perMillion: number; readonly included: number }>> = {
  workerRequests: { perMillion: 0.3, included: 10e6 },
  objectRequests: { perMillion: 0.15, included: 1e6 },
  gbSeconds: { perMillion: 12.5, included: 400_000 },
  rowsWritten: { perMillion: 1, included: 50e6 },
  rowsRead: { perMillion: 0.001, included: 25e9 },
};
const KEYS = Object.keys(PRICES) as (keyof Bill)[];

/** Messages over sockets that cost one request. */
export const MESSAGES_A_REQUEST = 20;
/** An object's memory as it is billed, GB. */
export const OBJECT_GB = 0.128;

/** Dollars of each kind. With `allowance` the plan's included amounts are taken off. */
export function dollarsByKind(bill: Bill, allowance = false): Readonly<Record<keyof Bill, number>> {
  const priced = KEYS.map((key) => {
    const { perMillion, included } = PRICES[key];
    return [key, (Math.max(0, bill[key] - (allowance ? included : 0)) / 1e6) * perMillion];
  });
  // Made from the keys of a bill, just above.
  return Object.fromEntries(priced) as Record<keyof Bill, number>;
}

export function dollars(bill: Bill, allowance = false): number {
  return Object.values(dollarsByKind(bill, allowance)).reduce((sum, each) => sum + each, 0);
}

/** `a` and `times` times `b`. */
export function plus(a: Bill, b: Bill, times = 1): Bill {
  const sums = KEYS.map((key) => [key, a[key] + times * b[key]]);
  return Object.fromEntries(sums) as unknown as Bill;
}
