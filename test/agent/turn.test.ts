/** Work in turn: never two at once, in the order asked for, and a failure holds up nobody. */
import { expect, it } from "vitest";
import { inTurn } from "../../agent/turn.ts";

it("what takes memory is done one after the other, and one that fails holds up nobody", async () => {
  const oneByOne = inTurn();
  let [running, most] = [0, 0];
  const done: number[] = [];
  const work = (number: number) => async (): Promise<number> => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setImmediate(resolve));
    running--;
    done.push(number);
    if (number === 2) throw new Error("the second fails");
    return number;
  };
  const outcomes = await Promise.allSettled([1, 2, 3, 4].map((number) => oneByOne(work(number))));
  expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled"]);
  expect([done, most]).toEqual([[1, 2, 3, 4], 1]);
});
