// Joins calls: while some are under way the next ones gather, and then go together. The more there is to do, the more of it is done at
// once; a call that comes alone waits for nobody. Transactions are joined with this (group commit, see database.ts).

export interface JoinedWork<Item, Result> {
  /** Runs one item. */
  readonly alone: (item: Item) => Promise<Result>;
  /**
   * Runs several at once and gives the outcome of each, in their order. When it rejects, none of them took effect: each is run alone
   * then, so that the failure of one is not that of the others.
   */
  readonly together: (items: readonly Item[]) => Promise<readonly PromiseSettledResult<Result>[]>;
}

/** Most items that go together: bounds how much is done again when one of them fails. */
const largest = 64;
/** The next ones need not wait longer than this for those under way, which may be held up by a lock that somebody else holds. */
const heldUpMs = 50;

/** @returns the call; what is called in one turn of the event loop goes together too. */
export function joinCalls<Item, Result>(work: JoinedWork<Item, Result>): (item: Item) => Promise<Result> {
  interface Call extends PromiseWithResolvers<Result> {
    readonly item: Item;
  }
  const waiting: Call[] = [];
  let busy = false;

  const runAlone = ({ item, resolve }: Call): void => resolve(work.alone(item));

  const run = async (calls: readonly Call[]): Promise<void> => {
    const [first] = calls;
    if (first !== undefined && calls.length === 1) {
      runAlone(first);
      await first.promise.catch(() => undefined);
      return;
    }
    try {
      const outcomes = await work.together(calls.map(({ item }) => item));
      for (const [index, { resolve, reject }] of calls.entries()) {
        const outcome = outcomes[index];
        if (outcome?.status === 'fulfilled') resolve(outcome.value);
        else reject(outcome?.reason);
      }
    } catch {
      for (const call of calls) runAlone(call);
    }
  };

  const next = (): void => {
    if (busy || waiting.length === 0) return;
    busy = true;
    setImmediate(() => {
      const goOn = (): void => {
        clearTimeout(timer);
        if (gone) return;
        gone = true;
        busy = false;
        next();
      };
      let gone = false;
      const timer = setTimeout(goOn, heldUpMs);
      void run(waiting.splice(0, largest)).then(goOn);
    });
  };

  return (item) => {
    const call = { item, ...Promise.withResolvers<Result>() };
    waiting.push(call);
    next();
    return call.promise;
  };
}
