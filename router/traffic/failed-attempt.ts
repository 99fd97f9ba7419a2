// One attempt at a subgraph that brought no answer: what is known of it, and with that whether it may be made again.

/**
 * - `unsent`: no connection was made; nothing reached the subgraph.
 * - `broken`: the connection ended before the answer, as a kept one does when the other end closes it.
 * - `turned-away`: the subgraph, or what stands before it, said by status that it takes no work now (429, 502, 503, 504).
 * - `timeout`: the time was over.
 * - `bad-answer`: what came is no GraphQL response.
 * - `too-large`: more was asked for than may come. The subgraph is not to blame for it.
 */
export type FailureReason = 'unsent' | 'broken' | 'turned-away' | 'timeout' | 'bad-answer' | 'too-large';

export interface FailureFacts {
  readonly cause?: unknown;
  /** Milliseconds that the subgraph asked to be left alone. */
  readonly retryAfterMs?: number | undefined;
}

export class FailedAttempt extends Error {
  override readonly name = 'FailedAttempt';
  readonly reason: FailureReason;
  readonly retryAfterMs: number | undefined;

  constructor(reason: FailureReason, message: string, { cause, retryAfterMs }: FailureFacts = {}) {
    super(message, { cause });
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }

  /** A query may be asked again wherever that has a chance; anything else only when it cannot have been done before. */
  isRepeatable(kind: 'query' | 'mutation'): boolean {
    if (this.reason === 'unsent') return true;
    return kind === 'query' && (this.reason === 'broken' || this.reason === 'turned-away');
  }
}

/** Milliseconds of a `Retry-After` header, given in seconds or as a date; undefined when it is neither. */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  const text = value?.trim() ?? '';
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const date = /[a-z]/i.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
