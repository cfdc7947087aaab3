/** What the demo tells the edge and its agent: which components visitors see, and what the agent reads. */
import { stringify } from "yaml";
import type { ComponentWish } from "./cli/edge.ts";
import type { Ports } from "./supervise/run-file.ts";

export const DEMO_CLUSTER = "demo";

/** Beside `agent.yaml`. */
export const KUBERNETES_TOKEN_FILE = "kubernetes-token";

const component = (group: string, name: string, service: string, description: string) => ({
  group,
  name,
  description,
  services: [`${DEMO_CLUSTER}/${service}`],
});

/** The demo's services under the names that a shop would give them. The storefront has a door to the world. */
export const demoComponents = ({ door }: Pick<Ports, "door">): readonly ComponentWish[] => [
  {
    ...component("Shop", "Storefront", "shop/storefront", "The pages that customers browse"),
    url: `http://127.0.0.1:${door}/`,
  },
  component("Shop", "Product catalog", "shop/catalog", "Products, prices and search"),
  component("Shop", "Shopping cart", "shop/cart", "What customers have put aside"),
  component("Shop", "Checkout", "shop/checkout", "From the cart to a placed order"),
  component("Back office", "Payments", "shop/payments", "Cards and bank transfers"),
  component("Back office", "Orders", "shop/orders", "Orders and their history"),
  component("Back office", "Ledger", "data/ledger", "The books behind payments and orders"),
];

/** Every deployment of the demo but the storefront may be put into maintenance: one refusal is there to be seen. */
const TARGETS = [
  { ref: "shop/checkout", floor: 1 },
  { ref: "shop/payments", floor: 0 },
  { ref: "shop/orders", floor: 0 },
  { ref: "shop/cart", floor: 0 },
  { ref: "shop/catalog", floor: 0 },
  { ref: "data/ledger", floor: 0 },
];

export interface DemoAgentOptions {
  readonly edgeUrl: string;
  readonly ports: Ports;
  readonly edgeKey: string;
  /** The one-time code, null once the agent has joined. */
  readonly code: string | null;
  /** Relative to the configuration file. */
  readonly dataDir: string;
}

/** The demo agent's `agent.yaml`. */
export function demoAgentConfig({ edgeUrl, ports, edgeKey, code, dataDir }: DemoAgentOptions): string {
  const config = {
    edge: edgeUrl,
    cluster: DEMO_CLUSTER,
    ...(code === null ? {} : { enroll: { code } }),
    dataDir,
    interval: "10s",
    audit: true,
    sources: {
      scrape: { interval: "5s", targets: [`http://127.0.0.1:${ports.control}/stats/prometheus`] },
      kubernetes: {
        url: `http://127.0.0.1:${ports.kubernetes}`,
        tokenFile: KUBERNETES_TOKEN_FILE,
        namespaces: ["shop", "data"],
      },
      certificates: {
        interval: "1h",
        endpoints: [{ host: "127.0.0.1", port: ports.ledger, serverName: "ledger.data" }],
      },
    },
    leases: {
      killSwitch: false,
      edgeKeys: [edgeKey],
      // Generous, because a visitor of the demo tries things: see the README for what a real cluster should allow.
      budget: { perTargetPerHour: 60, maxShareOfTargets: 1 },
      targets: TARGETS.map(({ ref, floor }) => ({
        ref,
        modes: ["announce", "scale"],
        floor,
        maxHours: 4,
        onExpiry: "restore",
      })),
    },
  };
  return `# Written by npm start at each start: changes are lost.\n${stringify(config)}`;
}
