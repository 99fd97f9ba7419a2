// When nobody waits for an answer any more: the client has gone, or the time for the request is over.
import type { ServerResponse } from 'node:http';

/** What the router needs of an AbortSignal, so that one does as well. */
export interface CancelSignal {
  readonly aborted: boolean;
  /** An Error once it is aborted. */
  readonly reason: unknown;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** The signal of one request. An AbortController for each would be as dear as the whole executor is for a small query. */
export class Cancellation implements CancelSignal {
  #listeners: (() => void)[] = [];
  #reason: Error | undefined;

  get aborted(): boolean {
    return this.#reason !== undefined;
  }

  get reason(): unknown {
    return this.#reason;
  }

  addEventListener(_: 'abort', listener: () => void): void {
    this.#listeners.push(listener);
  }

  removeEventListener(_: 'abort', listener: () => void): void {
    const at = this.#listeners.indexOf(listener);
    if (at >= 0) this.#listeners.splice(at, 1);
  }

  abort(): void {
    if (this.#reason !== undefined) return;
    this.#reason = new Error('nobody waits for the answer any more');
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener();
  }
}

/** A signal that is aborted when the client is gone or the time is over, and how to let go of it when the answer is there. */
export function cancelledWith(
  response: ServerResponse,
  timeoutMs: number,
): { readonly signal: CancelSignal; readonly release: () => void } {
  const signal = new Cancellation();
  const abort = (): void => {
    clearTimeout(timer);
    signal.abort();
  };
  const timer = setTimeout(abort, timeoutMs);
  response.once('close', abort);
  return {
    signal,
    release() {
      clearTimeout(timer);
      response.off('close', abort);
    },
  };
}
