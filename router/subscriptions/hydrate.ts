// Merges the entity requests of one moment. Those of one viewer become one question; those of several viewers go in one request where
// the subgraph takes that, each with the token of its viewer. Nothing that depends on who asks is ever shared between viewers.
import type { SubgraphError, SubgraphFetch, SubgraphRequest, SubgraphResponse } from '../executor/execute.ts';
import type { Asked } from '../operation-batch.ts';
import type { FetchContext, SubgraphClient } from '../subgraph-client.ts';
import type { LiveMetrics } from './live-metrics.ts';

/** What asks the subgraphs. */
export type HydrationClient = Pick<SubgraphClient, 'fetch' | 'takesTogether' | 'fetchTogether'>;

export interface BatchOptions {
  /** Representations that one request carries, at most. */
  readonly maxBatch: number;
  /** Milliseconds that a request waits at most while another of its kind is on its way. */
  readonly maxWaitMs: number;
}

export const defaultBatchOptions: BatchOptions = { maxBatch: 250, maxWaitMs: 5 };

interface Waiting {
  readonly request: SubgraphRequest;
  readonly context: FetchContext;
  readonly representations: readonly unknown[];
  /** Equal for those that can be one question: text, other variables and token. */
  readonly question: string;
  readonly resolve: (response: SubgraphResponse) => void;
  readonly reject: (error: unknown) => void;
}

/** Requests that may go together: to one subgraph, or of one question where that takes no others with it. */
interface Queue {
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
  client: HydrationClient,
  metrics: LiveMetrics,
  options: BatchOptions = defaultBatchOptions,
): SubgraphFetch<FetchContext> {
  const queues = new Map<string, Queue>();

  const send = (key: string, queue: Queue): void => {
    clearImmediate(queue.planned);
    clearTimeout(queue.deadline);
    const { waiting } = queue;
    Object.assign(queue, { waiting: [], representations: 0, planned: undefined, deadline: undefined });
    queue.onTheWay += 1;
    metrics.batchSize.observe(waiting.length);
    void askTogether(client, waiting).finally(() => {
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
    if (request.kind !== 'query' || !Array.isArray(representations)) return client.fetch(request, context);
    metrics.hydrations.inc();
    const { subgraph } = request;
    const { supergraph, viewer, forwarded } = context;
    const question = [viewer?.token ?? '', request.query, JSON.stringify(others)].join('\n');
    // Headers are those of a whole request, so what differs in them never goes together.
    const place = `${supergraph.id} ${subgraph}${forwarded?.key ?? ''}`;
    const key = client.takesTogether(subgraph, supergraph) ? place : `${place}\n${question}`;
    let queue = queues.get(key);
    if (queue === undefined) {
      queue = { waiting: [], representations: 0, onTheWay: 0, planned: undefined, deadline: undefined };
      queues.set(key, queue);
    }
    const { promise, resolve, reject } = Promise.withResolvers<SubgraphResponse>();
    queue.waiting.push({ request, context, representations, question, resolve, reject });
    queue.representations += representations.length;
    plan(key, queue);
    return promise;
  };
}

/** Asks for all that wait, and hands each its part. Never rejects. */
async function askTogether(client: HydrationClient, waiting: readonly Waiting[]): Promise<void> {
  const merged = [...Map.groupBy(waiting, ({ question }) => question).values()];
  const asked = merged.map(mergedQuestion);
  const [only] = asked;
  const answers =
    asked.length === 1 && only !== undefined ? [client.fetch(only.request, only.context)] : client.fetchTogether(asked);
  await Promise.all(merged.map((all, index) => handOut(all, answers[index] as Promise<SubgraphResponse>)));
}

/** One question for all who ask the same as the same viewer. */
function mergedQuestion(all: readonly Waiting[]): Asked {
  const { request, context } = all[0] as Waiting;
  const { viewer, traceparent, forwarded, supergraph } = context;
  const representations = all.flatMap((one) => one.representations);
  return {
    request: { ...request, variables: { ...request.variables, representations } },
    // No signal: the answer belongs to many. The trace is that of the first.
    context: { viewer, traceparent, forwarded, supergraph },
  };
}

async function handOut(all: readonly Waiting[], answering: Promise<SubgraphResponse>): Promise<void> {
  try {
    const answer = await answering;
    if (all.length === 1) return all[0]?.resolve(answer);
    let start = 0;
    for (const one of all) {
      const end = start + one.representations.length;
      one.resolve(partOf(answer, start, end));
      start = end;
    }
  } catch (error) {
    for (const one of all) one.reject(error);
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
