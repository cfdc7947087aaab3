import { expect, it } from "vitest";
import { entityMatches } from "../../worker/core/entity.ts";

it.each([
  ["the tag", '"7.a"', true],
  ["a weak form of it, as a proxy that compresses makes", 'W/"7.a"', true],
  ["a list with it", '"1.x", W/"7.a" ,"9.z"', true],
  ["anything at all", " * ", true],
  ["a list without it", '"1.x", "9.z"', false],
  ["a tag that holds it", '"0,7.a"', false],
  ["a tag without quotes", "7.a", false],
  ["a list that cannot be read", '"7.a', false],
  ["nothing", "", false],
  ["no header", undefined, false],
])("a client that shows %s has what it would be sent: %j is %s", (_name, header, isIt) =>
  expect(entityMatches(header, '"7.a"')).toBe(isIt),
);

it("a header of the greatest length is read in no time", () => {
  const since = performance.now();
  for (const header of [`"${",".repeat(16_000)}`, `${'"a" '.repeat(4_000)}`, `,${" ".repeat(16_000)}`])
    expect(entityMatches(header, '"7.a"')).toBe(false);
  expect(performance.now() - since).toBeLessThan(200);
});
