/** Work that takes memory while it lasts, one after the other: the lists of an API server, and what a Prometheus tells of itself. */

/** Runs what it is given in the order in which it was given, each when the one before has ended. */
export function inTurn(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work, work);
    last = mine;
    return mine;
  };
}
