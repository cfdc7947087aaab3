import { describe, expect, it } from "vitest";
import { inbox } from "../../worker/core/inbox.ts";
import { component, NOON, tell, told } from "../support/facts.ts";

const reported = [
  tell(NOON, [told("operational"), told("operational", "shop/cart"), told("operational", "kube-system/dns")]),
  tell(NOON, [told("operational", "shop/cart")], "us-2"),
];

describe("what waits to be published", () => {
  it.each([
    ["all that is reported, on an empty page", [], [], 4],
    ["nothing that a component stands for", [component()], [], 3],
    ["nothing that is ignored by its name", [], ["us-2/shop/cart"], 3],
    ["nothing that is ignored in every cluster", [], ["shop/cart"], 2],
    ["nothing of an ignored namespace", [], ["*/kube-system/*"], 3],
    ["nothing, where all is decided", [component()], ["shop/cart", "kube-system/*"], 0],
  ])("is %s", (_name, components, ignored, count) => expect(inbox(reported, components, ignored)).toHaveLength(count));

  it("is counted no further than it is asked", () => expect(inbox(reported, [], [], 2)).toHaveLength(2));
});
