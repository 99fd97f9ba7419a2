// Identical questions to one subgraph at the same time are asked once. What is identical, the caller says by a key; each asker keeps
// its own way out. Nothing is remembered once it is answered.

export interface SharedExchanges<Answer> {
  /**
   * Gives the answer to the same question that is under way, or asks. An asker whose signal ends gets its reason at once, and the
   * others, if it was the one that asked, ask for themselves.
   */
  ask(key: string, ask: () => Promise<Answer>, signal: AbortSignal | undefined): Promise<Answer>;
  /** What is under way is shared no more: something has changed that a later asker may know of. */
  forget(): void;
}

interface UnderWay<Answer> {
  readonly answer: Promise<Answer>;
  /** Of the one that asked. */
  readonly signal: AbortSignal | undefined;
}

const isGone = (signal: AbortSignal | undefined): boolean => signal?.aborted === true;

export function createSharedExchanges<Answer>(): SharedExchanges<Answer> {
  let underWay = new Map<string, UnderWay<Answer>>();

  const start = (key: string, ask: () => Promise<Answer>, signal: AbortSignal | undefined): Promise<Answer> => {
    const answer = ask();
    const shared = { answer, signal };
    const where = underWay;
    where.set(key, shared);
    const ended = (): void => {
      if (where.get(key) === shared) where.delete(key);
    };
    answer.then(ended, ended);
    return answer;
  };

  const shares: SharedExchanges<Answer> = {
    async ask(key, ask, signal) {
      const shared = underWay.get(key);
      if (shared === undefined || isGone(shared.signal)) return start(key, ask, signal);
      try {
        return await orAborted(shared.answer, signal);
      } catch (error) {
        // The one that asked has gone, and the exchange with it.
        if (!isGone(shared.signal) || isGone(signal)) throw error;
        return shares.ask(key, ask, signal);
      }
    },
    forget() {
      if (underWay.size > 0) underWay = new Map();
    },
  };
  return shares;
}

function orAborted<Answer>(answer: Promise<Answer>, signal: AbortSignal | undefined): Promise<Answer> {
  if (signal === undefined) return answer;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
