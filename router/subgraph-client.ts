// Asks the subgraphs over HTTP: one undici pool for each, with time-outs and limits. Errors name no address to the client.
import { Pool, errors as undiciErrors } from 'undici';
import { CodedError } from '../service/errors.ts';
import type { Viewer } from '../service/identity.ts';
import type { Logger } from '../service/log.ts';
import type { SubgraphFetch, SubgraphRequest, SubgraphResponse } from './executor/execute.ts';
import type { Supergraph } from './supergraph.ts';

/** What a fetch needs to know of the request that it serves. */
export interface RequestContext {
  /** Whose token is handed on. */
  readonly viewer: Viewer | undefined;
  /** W3C trace context, handed on. */
  readonly traceparent?: string | undefined;
  /** Ends fetches whose answer nobody waits for any more. */
  readonly signal?: AbortSignal | undefined;
}

export interface SubgraphClientOptions {
  /** Milliseconds that a subgraph may take to answer whole. */
  readonly timeoutMs: number;
  /** Bytes that an answer may have. */
  readonly maxResponseBytes: number;
  /** Connections to each subgraph, at most. */
  readonly connections: number;
  readonly log: Logger;
  /** Told of each fetch when it ended. `seconds` is its duration. */
  readonly onFetch?: (subgraph: string, outcome: 'ok' | 'error' | 'timeout' | 'aborted', seconds: number) => void;
}

export interface SubgraphClient {
  readonly fetch: SubgraphFetch<RequestContext>;
  /** Lets running fetches end and closes the connections. */
  close(): Promise<void>;
}

const connectAttemptMs = 2_000;

interface Target {
  readonly pool: Pool;
  readonly path: string;
}

export function createSubgraphClient(supergraph: Supergraph, options: SubgraphClientOptions): SubgraphClient {
  const { log, onFetch, timeoutMs, maxResponseBytes, connections } = options;
  const targets = new Map<string, Target>();
  for (const [name, { url }] of supergraph.subgraphs) {
    if (!/^https?:/.test(url)) continue;
    const { origin, pathname, search } = new URL(url);
    const pool = new Pool(origin, {
      connections,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      keepAliveTimeout: 30_000,
      connect: { timeout: Math.min(timeoutMs, 5_000) },
      // Where a name has several addresses: one that is slow to accept is no reason to go to the next, which may be gone.
      autoSelectFamilyAttemptTimeout: connectAttemptMs,
    });
    targets.set(name, { pool, path: pathname + search });
  }

  const ask = async (
    { pool, path }: Target,
    request: SubgraphRequest,
    context: RequestContext,
  ): Promise<SubgraphResponse> => {
    const { query, operationName, variables } = request;
    const headers: Record<string, string> = {
      'content-type': 'application/json',
      accept: 'application/json, application/graphql-response+json;q=0.9',
    };
    if (context.viewer !== undefined) headers['authorization'] = `Bearer ${context.viewer.token}`;
    if (context.traceparent !== undefined) headers['traceparent'] = context.traceparent;
    const { statusCode, body } = await pool.request({
      path,
      method: 'POST',
      headers,
      body: JSON.stringify(operationName === undefined ? { query, variables } : { query, operationName, variables }),
      ...(context.signal === undefined ? {} : { signal: context.signal }),
    });
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      // Leaving the loop destroys the body, and with it the connection.
      if (bytes > maxResponseBytes) throw new Error(`the answer is over ${String(maxResponseBytes)} bytes`);
      chunks.push(chunk);
    }
    const text = (chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)).toString('utf8');
    return toResponse(statusCode, text);
  };

  const fetch: SubgraphFetch<RequestContext> = async (request, context) => {
    const started = performance.now();
    const ended = (outcome: 'ok' | 'error' | 'timeout' | 'aborted'): void =>
      onFetch?.(request.subgraph, outcome, (performance.now() - started) / 1000);
    const target = targets.get(request.subgraph);
    try {
      if (target === undefined) throw new Error('the subgraph has no address over HTTP');
      let response: SubgraphResponse;
      try {
        response = await ask(target, request, context);
      } catch (error) {
        // A kept connection may have been closed at the other end; a query can be asked again without harm, and so can anything
        // that was never sent.
        if (!isUnsent(error) && (request.kind !== 'query' || !isStaleConnection(error))) throw error;
        response = await ask(target, request, context);
      }
      ended('ok');
      return response;
    } catch (error) {
      if (context.signal?.aborted === true) {
        ended('aborted');
        throw new CodedError('TIMEOUT', undefined, {}, error);
      }
      const timedOut = isTimeout(error);
      ended(timedOut ? 'timeout' : 'error');
      log.warn({ error, subgraph: request.subgraph, operation: request.operationName }, 'subgraph fetch failed');
      throw new CodedError(timedOut ? 'TIMEOUT' : 'SERVICE_UNAVAILABLE', undefined, {}, error);
    }
  };

  return {
    fetch,
    async close() {
      await Promise.all([...targets.values()].map(({ pool }) => pool.close()));
    },
  };
}

/** An answer counts whatever its status is, as long as it is one of GraphQL. */
function toResponse(statusCode: number, text: string): SubgraphResponse {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new Error(`the answer with status ${String(statusCode)} is no JSON`);
  }
  const { data, errors } = (typeof answer === 'object' && answer !== null ? answer : {}) as SubgraphResponse;
  const isResponse = (data !== undefined && typeof data === 'object') || (Array.isArray(errors) && errors.length > 0);
  if (!isResponse) throw new Error(`the answer with status ${String(statusCode)} is no GraphQL response`);
  return answer as SubgraphResponse;
}

function isTimeout(error: unknown): boolean {
  return (
    error instanceof undiciErrors.HeadersTimeoutError ||
    error instanceof undiciErrors.BodyTimeoutError ||
    error instanceof undiciErrors.ConnectTimeoutError
  );
}

function isStaleConnection(error: unknown): boolean {
  const code = (error as { code?: unknown } | undefined)?.code;
  return code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE';
}

/** Whether no connection was made at all. With several addresses the error is one for all of them. */
function isUnsent(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.every(isUnsent);
  return (error as { syscall?: unknown } | undefined)?.syscall === 'connect';
}
