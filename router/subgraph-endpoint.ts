// One subgraph's address: an undici pool, and a single attempt at asking over it. Retries and the like are not known here.
import { Pool, errors as undiciErrors } from 'undici';
import { keptIdleMs } from '../service/drain.ts';
import type { SubgraphRequest, SubgraphResponse } from './executor/execute.ts';
import type { FetchContext } from './subgraph-client.ts';
import { FailedAttempt, parseRetryAfter } from './traffic/failed-attempt.ts';

export interface EndpointOptions {
  /** Connections, at most. */
  readonly connections: number;
  /** Milliseconds that a connection may take to be made. */
  readonly connectMs: number;
  /** Bytes that an answer may have. */
  readonly maxResponseBytes: number;
}

export interface SubgraphEndpoint {
  readonly url: string;
  /**
   * Asks once. The answer has to begin within `leftMs`, and to be there whole soon after.
   * @throws FailedAttempt, or the reason of the context's signal.
   */
  ask(request: SubgraphRequest, context: FetchContext, leftMs: number): Promise<SubgraphResponse>;
  /** Lets what is asked be answered, then closes the connections. */
  close(): Promise<void>;
}

/** Of several addresses of a name, one that is slow to accept is no reason to go to the next, which may be gone. */
const connectAttemptMs = 2_000;
/** How a subgraph, or a proxy before it, says that it takes no work now. */
const turnedAway: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/** Opens no connection yet. @throws Error when the URL is none of HTTP */
export function openEndpoint(url: string, options: EndpointOptions): SubgraphEndpoint {
  const { connections, connectMs, maxResponseBytes } = options;
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

  return {
    url,
    async ask({ query, operationName, variables }, { viewer, traceparent, signal }, leftMs) {
      const deadline = performance.now() + leftMs;
      const headers: Record<string, string> = {
        'content-type': 'application/json',
        accept: 'application/json, application/graphql-response+json;q=0.9',
      };
      if (viewer !== undefined) headers['authorization'] = `Bearer ${viewer.token}`;
      if (traceparent !== undefined) headers['traceparent'] = traceparent;
      try {
        const answer = await pool.request({
          path,
          method: 'POST',
          headers,
          body: JSON.stringify(
            operationName === undefined ? { query, variables } : { query, operationName, variables },
          ),
          headersTimeout: leftMs,
          bodyTimeout: leftMs,
          ...(signal === undefined ? {} : { signal }),
        });
        const text = await textOf(answer.body as AsyncIterable<Buffer>, maxResponseBytes, deadline);
        return toResponse(answer.statusCode, answer.headers['retry-after'], text);
      } catch (error) {
        throw signal?.aborted === true ? error : toFailedAttempt(error);
      }
    },
    close: () => pool.close(),
  };
}

async function textOf(body: AsyncIterable<Buffer>, maxBytes: number, deadline: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    // Leaving the loop destroys the body, and with it the connection.
    if (bytes > maxBytes) throw new FailedAttempt('bad-answer', `the answer is over ${String(maxBytes)} bytes`);
    if (performance.now() > deadline) throw new FailedAttempt('timeout', 'the answer came too slowly');
    chunks.push(chunk);
  }
  return (chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)).toString('utf8');
}

/** An answer with data counts whatever its status is; so does one with errors, unless the status says that nothing was done. */
function toResponse(statusCode: number, retryAfter: string | string[] | undefined, text: string): SubgraphResponse {
  const answer = parseObject(text);
  const { data, errors } = answer ?? {};
  if (turnedAway.has(statusCode) && (data ?? null) === null) {
    const retryAfterMs = parseRetryAfter(typeof retryAfter === 'string' ? retryAfter : undefined, Date.now());
    throw new FailedAttempt('turned-away', `the answer has status ${String(statusCode)}`, { retryAfterMs });
  }
  const isResponse = (data !== undefined && typeof data === 'object') || (Array.isArray(errors) && errors.length > 0);
  if (answer === undefined || !isResponse) {
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
  if (cause instanceof undiciErrors.HeadersTimeoutError || cause instanceof undiciErrors.BodyTimeoutError) {
    return new FailedAttempt('timeout', message, { cause });
  }
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
