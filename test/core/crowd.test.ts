import { expect, it } from "vitest";
import { networkOf, returnSpread } from "../../worker/core/crowd.ts";

it.each([
  ["nobody", 0, 1_000],
  ["what comes back within a second", 250, 1_000],
  ["one more", 251, 2_000],
  ["5,000 open pages", 5_000, 32_000],
  ["more than anybody should wait for", 1_000_000, 60_000],
])("after a cut %s is spread over enough time", (_name, pages, spreadMs) => expect(returnSpread(pages)).toBe(spreadMs));

it("never lets more than 250 pages a second come back, until a minute is not enough", () => {
  for (let pages = 1; pages <= 15_000; pages += 37)
    expect((pages / returnSpread(pages)) * 1_000).toBeLessThanOrEqual(250);
});

it.each([
  ["192.0.2.1", "192.0.2.1"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
  ["2001:db8:1:2::9", "2001:db8:1:2"],
  ["2001:db8:1::9", "2001:db8:1:0"],
  ["2001:db8::", "2001:db8:0:0"],
  ["::1", "0:0:0:0"],
  ["::ffff:192.0.2.1", "::ffff:192.0.2.1"],
  ["", ""],
])("%s is of the network %s", (address, network) => expect(networkOf(address)).toBe(network));
