// Merges the entity requests of one moment into one request for each subgraph. Only requests that carry the same token are ever
// merged: who asks decides what is answered.
import type { SubgraphError, SubgraphFetch, SubgraphRequest, SubgraphResponse } from '../executor/execute.ts';
import type { FetchContext } from '../subgraph-client.ts';
import type { LiveMetrics } from './live-metrics.ts';

export interface BatchOptions {
  /** Representations that one request carries, at most. */
  readonly maxBatch: number;
  /** Milliseconds that a request waits at most while another of its kind is on its way. */
  readonly maxWaitMs: number;
}

export const defaultBatchOptions: BatchOptions = { maxBatch: 250, maxWaitMs: 10 };

interface Waiting {
  readonly representations: readonly unknown[];
  readonly resolve: (response: SubgraphResponse) => void;
  readonly reject: (error: unknown) => void;
}

/** Requests that may be merged: same subgraph and supergraph, text, other variables and token. */
interface Queue {
  readonly request: SubgraphRequest;
  readonly context: FetchContext;
  waiting: Waiting[];
  representations: number;
  onTheWay: number;
  /** Set when a sending is already planned. */
  planned: NodeJS.Immediate | undefined;
  deadline: NodeJS.Timeout | undefined;
}

/**
 * A fetch that merges. What is asked in one tick goes together; while an answer is awaited, what is asked meanwhile is gathered
 * for a few milliseconds, so batches grow with the load and a quiet system waits for nothing.
 */
export function batchEntities(
  fetch: SubgraphFetch<FetchContext>,
  metrics: LiveMetrics,
  options: BatchOptions = defaultBatchOptions,
): SubgraphFetch<FetchContext> {
  const queues = new Map<string, Queue>();

  const send = (key: string, queue: Queue): void => {
    clearImmediate(queue.planned);
    clearTimeout(queue.deadline);
    const { waiting, request, context } = queue;
    Object.assign(queue, { waiting: [], representations: 0, planned: undefined, deadline: undefined });
    queue.onTheWay += 1;
    metrics.batchSize.observe(waiting.length);
    void ask(fetch, request, context, waiting).finally(() => {
      queue.onTheWay -= 1;
      if (queue.waiting.length > 0) plan(key, queue);
      else if (queue.onTheWay === 0) queues.delete(key);
    });
  };

  const plan = (key: string, queue: Queue): void => {
    if (queue.representations >= options.maxBatch) return send(key, queue);
    if (queue.onTheWay === 0) queue.planned ??= setImmediate(() => send(key, queue));
    else queue.deadline ??= setTimeout(() => send(key, queue), options.maxWaitMs);
  };

  return (request, context) => {
    const { representations, ...others } = request.variables;
    if (request.kind !== 'query' || !Array.isArray(representations)) return fetch(request, context);
    metrics.hydrations.inc();
    const { viewer, traceparent, supergraph } = context;
    const key = [request.subgraph, supergraph.id, viewer?.token ?? '', request.query, JSON.stringify(others)].join(
      '\n',
    );
    let queue = queues.get(key);
    if (queue === undefined) {
      // No signal: the answer belongs to many. The trace is that of the first.
      const shared = { viewer, traceparent, supergraph };
      queue = {
        request,
        context: shared,
        waiting: [],
        representations: 0,
        onTheWay: 0,
        planned: undefined,
        deadline: undefined,
      };
      queues.set(key, queue);
    }
    const { promise, resolve, reject } = Promise.withResolvers<SubgraphResponse>();
    queue.waiting.push({ representations, resolve, reject });
    queue.representations += representations.length;
    plan(key, queue);
    return promise;
  };
}

/** Asks once for all and hands each its part. */
async function ask(
  fetch: SubgraphFetch<FetchContext>,
  request: SubgraphRequest,
  context: FetchContext,
  waiting: readonly Waiting[],
): Promise<void> {
  try {
    const representations = waiting.flatMap((one) => one.representations);
    const answer = await fetch({ ...request, variables: { ...request.variables, representations } }, context);
    if (waiting.length === 1) return waiting[0]?.resolve(answer);
    let start = 0;
    for (const one of waiting) {
      const end = start + one.representations.length;
      one.resolve(partOf(answer, start, end));
      start = end;
    }
  } catch (error) {
    for (const one of waiting) one.reject(error);
  }
}

function partOf({ data, errors, extensions }: SubgraphResponse, start: number, end: number): SubgraphResponse {
  const entities = data?.['_entities'];
  const own = errors?.flatMap((error): SubgraphError[] => {
    const [field, index, ...rest] = error.path ?? [];
    // An error without an index is one of the whole request.
    if (field !== '_entities' || typeof index !== 'number') return [error];
    return index >= start && index < end ? [{ ...error, path: [field, index - start, ...rest] }] : [];
  });
  return {
    ...(data === undefined ? {} : { data: Array.isArray(entities) ? { _entities: entities.slice(start, end) } : data }),
    ...(own === undefined || own.length === 0 ? {} : { errors: own }),
    ...(extensions === undefined ? {} : { extensions }),
  };
}
