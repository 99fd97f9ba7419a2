// One subgraph's address: an undici pool, and a single attempt at asking over it. Retries and the like are not known here.
import { Pool, errors as undiciErrors } from 'undici';
import { keptIdleMs } from '../service/drain.ts';
import { operationBatchType } from '../service/operation-batch.ts';
import type { CancelSignal } from './cancellation.ts';
import type { SubgraphRequest, SubgraphResponse } from './executor/execute.ts';
import type { ForwardedHeaders } from './forwarded-headers.ts';
import { isResponse, readOperationBatch } from './operation-batch.ts';
import { createSharedExchanges } from './shared-exchanges.ts';
import type { FetchContext } from './subgraph-client.ts';
import { exchange, isTimeout } from './subgraph-exchange.ts';
import type { ExchangeAnswer } from './subgraph-exchange.ts';
import { FailedAttempt, parseRetryAfter } from './traffic/failed-attempt.ts';

export interface EndpointOptions {
  /** Connections, at most. */
  readonly connections: number;
  /** Milliseconds that a connection may take to be made. */
  readonly connectMs: number;
  /** Bytes that an answer may have. */
  readonly maxResponseBytes: number;
  /** Bytes that all answers to one operation may have together. */
  readonly maxBroughtBytes: number;
  /** Whether the same query of one viewer is asked once at a time. */
  readonly isSharing: boolean;
}

export interface SubgraphEndpoint {
  readonly url: string;
  /**
   * Asks once. The answer has to begin within `leftMs`, and to be there whole soon after.
   * @throws FailedAttempt, or the reason of the context's signal.
   */
  ask(request: SubgraphRequest, context: FetchContext, leftMs: number): Promise<SubgraphResponse>;
  /** Whether its last answer said that it takes questions of several viewers in one request. */
  takesTogether(): boolean;
  /**
   * Asks a batch of questions once, likewise. Answers are by their place; there is none where the subgraph does not take batches (any
   * more), and none for a question that it did not answer.
   * @throws FailedAttempt
   */
  askTogether(
    body: string,
    leftMs: number,
    forwarded?: ForwardedHeaders,
  ): Promise<readonly (SubgraphResponse | undefined)[]>;
  /** From now on nothing is answered with what was asked before. */
  forgetShared(): void;
  /** Lets what is asked be answered, then closes the connections. */
  close(): Promise<void>;
  /** Ends what is asked as if its time were over. */
  abandon(): void;
}

/** Of several addresses of a name, one that is slow to accept is no reason to go to the next, which may be gone. */
const connectAttemptMs = 2_000;
/** How a subgraph, or a proxy before it, says that it takes no work now. */
const turnedAway: ReadonlySet<number> = new Set([429, 502, 503, 504]);

const constantHeaders: readonly string[] = [
  'content-type',
  'application/json',
  'accept',
  'application/json, application/graphql-response+json;q=0.9',
];

const batchHeaders: readonly string[] = ['content-type', operationBatchType, 'accept', operationBatchType];

/** Opens no connection yet. @throws Error when the URL is none of HTTP */
export function openEndpoint(url: string, options: EndpointOptions): SubgraphEndpoint {
  const { connections, connectMs, maxResponseBytes, maxBroughtBytes, isSharing } = options;
  const { origin, pathname, search, protocol } = new URL(url);
  if (!/^https?:$/.test(protocol)) throw new Error(`not an address over HTTP: ${url}`);
  const path = pathname + search;
  const pool = new Pool(origin, {
    connections,
    // Whatever the subgraph offers: one that goes waits for the connections that are kept.
    keepAliveTimeout: keptIdleMs,
    keepAliveMaxTimeout: keptIdleMs,
    connect: { timeout: connectMs },
    autoSelectFamilyAttemptTimeout: connectAttemptMs,
  });
  const shared = createSharedExchanges<ExchangeAnswer>();
  let takesTogether = false;

  async function send(headers: string[], body: string, leftMs: number, signal?: CancelSignal): Promise<ExchangeAnswer> {
    const answer = await exchange(pool, { path, headers, body, leftMs, maxBytes: maxResponseBytes, signal });
    takesTogether = answer.acceptPost?.includes(operationBatchType) === true;
    return answer;
  }

  return {
    url,
    async ask(
      { kind, query, operationName, variables },
      { viewer, traceparent, forwarded, signal, mayShare, brought },
      leftMs,
    ) {
      const headers = [...constantHeaders];
      const authorization = viewer === undefined ? '' : `Bearer ${viewer.token}`;
      if (viewer !== undefined) headers.push('authorization', authorization);
      if (traceparent !== undefined) headers.push('traceparent', traceparent);
      if (forwarded !== undefined) headers.push(...forwarded.pairs);
      const body = JSON.stringify(
        operationName === undefined ? { query, variables } : { query, operationName, variables },
      );
      try {
        const run = (): Promise<ExchangeAnswer> => send(headers, body, leftMs, signal);
        // Who asks, and what goes on of their headers, is part of the question. Each asker reads the text for itself, as what it reads is its own to change.
        const isShared = isSharing && mayShare === true && kind === 'query';
        const key = isShared ? authorization + (forwarded?.key ?? '') + body : '';
        const answer = await (isShared ? shared.ask(key, run, signal) : run());
        if (brought !== undefined && (brought.bytes += answer.bytes) > maxBroughtBytes) {
          throw new FailedAttempt('too-large', `the answers are over ${String(maxBroughtBytes)} bytes together`);
        }
        return toResponse(answer);
      } catch (error) {
        throw signal?.aborted === true ? error : toFailedAttempt(error);
      }
    },
    takesTogether: () => takesTogether,
    async askTogether(body, leftMs, forwarded) {
      try {
        const answer = await send([...batchHeaders, ...(forwarded?.pairs ?? [])], body, leftMs);
        refuseIfTurnedAway(answer);
        return readOperationBatch(answer.text);
      } catch (error) {
        throw toFailedAttempt(error);
      }
    },
    forgetShared: () => shared.forget(),
    close: () => (pool.destroyed ? Promise.resolve() : pool.close()),
    abandon: () => void pool.destroy(new FailedAttempt('timeout', 'the router is going and waits no longer')),
  };
}

function refuseIfTurnedAway({ statusCode, retryAfter }: ExchangeAnswer): void {
  if (!turnedAway.has(statusCode)) return;
  const retryAfterMs = parseRetryAfter(retryAfter, Date.now());
  throw new FailedAttempt('turned-away', `the answer has status ${String(statusCode)}`, { retryAfterMs });
}

/** An answer with data counts whatever its status is; so does one with errors, unless the status says that nothing was done. */
function toResponse(exchanged: ExchangeAnswer): SubgraphResponse {
  const answer = parseObject(exchanged.text);
  if ((answer?.data ?? null) === null) refuseIfTurnedAway(exchanged);
  if (!isResponse(answer)) {
    const { statusCode } = exchanged;
    throw new FailedAttempt('bad-answer', `the answer with status ${String(statusCode)} is no GraphQL response`);
  }
  return answer;
}

function parseObject(text: string): SubgraphResponse | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function toFailedAttempt(cause: unknown): FailedAttempt {
  if (cause instanceof FailedAttempt) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  if (cause instanceof undiciErrors.ConnectTimeoutError || isUnsent(cause)) {
    return new FailedAttempt('unsent', message, { cause });
  }
  if (isTimeout(cause)) return new FailedAttempt('timeout', message, { cause });
  return new FailedAttempt(isBroken(cause) ? 'broken' : 'bad-answer', message, { cause });
}

function isBroken(error: unknown): boolean {
  const code = (error as { code?: unknown } | undefined)?.code;
  return code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE';
}

/** Whether no connection was made at all. With several addresses the error is one for all of them. */
function isUnsent(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.every(isUnsent);
  return (error as { syscall?: unknown } | undefined)?.syscall === 'connect';
}
