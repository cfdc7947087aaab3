/**
 * The demo shop: who calls whom, how often, and how long each works by itself. Plain data, so that a story can be
 * told by changing one line.
 *
 *   visitors ─▶ storefront ─▶ catalog
 *                          ├▶ cart
 *                          └▶ checkout ─▶ cart
 *                                      ├▶ payments ─▶ ledger (TLS)
 *                                      └▶ orders   ─▶ ledger (TLS)
 *
 * Payments and orders need the ledger: while it fails they fail with it. Everybody else does without what is missing.
 */

/** A call to another service. `share` is how many of the caller's requests make it, 0 to 1. */
export interface Call {
  readonly to: string;
  readonly share: number;
  /** The caller waits this long, ms. It never repeats a call, so trouble is never multiplied. */
  readonly patienceMs: number;
  /** Without an answer in time the caller answers 503. Without `needed` it does without the call, and answers 200. */
  readonly needed?: boolean;
}

export interface ServiceSpec {
  readonly namespace: string;
  readonly name: string;
  /** The median of its own work, ms; log-normal around it. */
  readonly workMs: number;
  /** Behind TLS with a certificate that is about to expire. */
  readonly tls: boolean;
  readonly calls: readonly Call[];
}

/** Who the mesh sees at its door. Istio names the gateway's workload so. */
export const GATEWAY = { namespace: "istio-system", name: "istio-ingressgateway" } as const;

/** The service that visitors reach. */
export const ENTRANCE = "storefront";

/** The spread of `workMs`: the sigma of the log-normal. 0.45 puts p95 at about twice the median. */
export const WORK_SIGMA = 0.45;

export const SERVICES: readonly ServiceSpec[] = [
  {
    namespace: "shop",
    name: "storefront",
    workMs: 12,
    tls: false,
    calls: [
      { to: "catalog", share: 1, patienceMs: 250 },
      { to: "cart", share: 0.5, patienceMs: 250 },
      { to: "checkout", share: 0.4, patienceMs: 350 },
    ],
  },
  {
    namespace: "shop",
    name: "checkout",
    workMs: 15,
    tls: false,
    calls: [
      { to: "cart", share: 1, patienceMs: 200 },
      { to: "payments", share: 1, patienceMs: 200 },
      { to: "orders", share: 1, patienceMs: 200 },
    ],
  },
  {
    namespace: "shop",
    name: "payments",
    workMs: 28,
    tls: false,
    calls: [{ to: "ledger", share: 1, patienceMs: 1_000, needed: true }],
  },
  { namespace: "shop", name: "catalog", workMs: 14, tls: false, calls: [] },
  { namespace: "shop", name: "cart", workMs: 6, tls: false, calls: [] },
  {
    namespace: "shop",
    name: "orders",
    workMs: 16,
    tls: false,
    calls: [{ to: "ledger", share: 1, patienceMs: 1_000, needed: true }],
  },
  { namespace: "data", name: "ledger", workMs: 9, tls: true, calls: [] },
];

/** Pods of each deployment. */
export const REPLICAS = 3;
