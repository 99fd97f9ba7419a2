// Identical questions to one subgraph at the same time are asked once. What is identical, the caller says by a key; each asker keeps
// its own way out. Nothing is remembered once it is answered.
import type { CancelSignal } from './cancellation.ts';

export interface SharedExchanges<Answer> {
  /**
   * Gives the answer to the same question that is under way, or asks. An asker whose signal ends gets its reason at once, and the
   * others, if it was the one that asked, ask for themselves.
   */
  ask(key: string, ask: () => Promise<Answer>, signal: CancelSignal | undefined): Promise<Answer>;
  /** What is under way is shared no more: something has changed that a later asker may know of. */
  forget(): void;
}

interface UnderWay<Answer> {
  readonly answer: Promise<Answer>;
  /** Of the one that asked. */
  readonly signal: CancelSignal | undefined;
}

const isGone = (signal: CancelSignal | undefined): boolean => signal?.aborted === true;

/** So many exchanges are noted in one Map before another takes over. */
const exchangesOfMap = 1_000;

export function createSharedExchanges<Answer>(): SharedExchanges<Answer> {
  let underWay = new Map<string, UnderWay<Answer>>();
  let noted = 0;

  const start = (key: string, ask: () => Promise<Answer>, signal: CancelSignal | undefined): Promise<Answer> => {
    const answer = ask();
    const shared = { answer, signal };
    // A Map that lives long and changes all the time keeps its garbage alive (ADR 17).
    if (++noted % exchangesOfMap === 0) underWay = new Map(underWay);
    underWay.set(key, shared);
    const ended = (): void => {
      if (underWay.get(key) === shared) underWay.delete(key);
    };
    answer.then(ended, ended);
    return answer;
  };

  const join = async (
    shared: UnderWay<Answer>,
    signal: CancelSignal | undefined,
    askAgain: () => Promise<Answer>,
  ): Promise<Answer> => {
    try {
      return await orAborted(shared.answer, signal);
    } catch (error) {
      // The one that asked has gone, and the exchange with it.
      if (!isGone(shared.signal) || isGone(signal)) throw error;
      return askAgain();
    }
  };

  const shares: SharedExchanges<Answer> = {
    ask(key, ask, signal) {
      const shared = underWay.get(key);
      if (shared === undefined || isGone(shared.signal)) return start(key, ask, signal);
      return join(shared, signal, () => shares.ask(key, ask, signal));
    },
    forget() {
      if (underWay.size > 0) underWay = new Map();
    },
  };
  return shares;
}

function orAborted<Answer>(answer: Promise<Answer>, signal: CancelSignal | undefined): Promise<Answer> {
  if (signal === undefined) return answer;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      const reason = signal.reason as Error;
      reject(reason);
    };
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort);
    answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
