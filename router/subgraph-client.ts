// Asks the subgraphs of whichever supergraph an operation started with, each through its own traffic rules. Errors name no address
// to the client.
import { CodedError } from '../service/errors.ts';
import type { ErrorCode } from '../service/errors.ts';
import type { Viewer } from '../service/identity.ts';
import type { Logger } from '../service/log.ts';
import { currentTraceparent, inSpan, isRecorded, SpanKind } from '../service/telemetry.ts';
import type { CancelSignal } from './cancellation.ts';
import type { SubgraphFetch, SubgraphRequest, SubgraphResponse } from './executor/execute.ts';
import type { ForwardedHeaders } from './forwarded-headers.ts';
import { toOperationBatches } from './operation-batch.ts';
import type { Asked, OperationBatch } from './operation-batch.ts';
import { openEndpoint } from './subgraph-endpoint.ts';
import type { SubgraphEndpoint } from './subgraph-endpoint.ts';
import type { Supergraph } from './supergraph.ts';
import { FailedAttempt } from './traffic/failed-attempt.ts';
import { createSubgraphTraffic, refusalOf } from './traffic/subgraph-traffic.ts';
import type { Refusal, SubgraphTraffic, TrafficLimits } from './traffic/subgraph-traffic.ts';

/** What is known of the request that is served. */
export interface RequestContext {
  /** Whose token is handed on. */
  readonly viewer: Viewer | undefined;
  /** W3C trace context, handed on. */
  readonly traceparent?: string | undefined;
  /** Of the client's request, handed on. What was fetched with others is not for this one. */
  readonly forwarded?: ForwardedHeaders | undefined;
  /** Ends fetches whose answer nobody waits for any more. */
  readonly signal?: CancelSignal | undefined;
}

/** What a fetch needs to know besides what it asks. */
export interface FetchContext extends RequestContext {
  /** The snapshot that the operation started with: its addresses are asked. */
  readonly supergraph: Supergraph;
  /** Whether an answer will do that was asked for a moment ago, for the same viewer. What follows an event needs one of its own. */
  readonly mayShare?: boolean;
  /** Counts what all fetches of the operation have brought. */
  readonly brought?: { bytes: number };
}

/** How a fetch ended; a refusal when it was not even tried. */
export type FetchOutcome = 'ok' | 'error' | 'timeout' | 'too-large' | 'aborted' | Refusal;

export interface SubgraphClientOptions {
  /** What holds for one subgraph. */
  readonly limitsOf: (subgraph: string) => TrafficLimits & {
    /** Bytes that an answer may have. */
    readonly maxResponseBytes: number;
    readonly isSharing: boolean;
  };
  /** Bytes that all answers to one operation may have together. */
  readonly maxBroughtBytes: number;
  /** Milliseconds after which nothing that started with a replaced supergraph can be under way any more. */
  readonly retireAfterMs: number;
  readonly log: Logger;
  readonly metrics: SubgraphMetrics;
}

export interface SubgraphMetrics {
  /** A fetch has ended. `seconds` is its duration, retries included. */
  fetch(subgraph: string, outcome: FetchOutcome, seconds: number): void;
  /** A fetch is tried once more. */
  retried(subgraph: string): void;
  /** Whether nothing is let through. */
  circuit(subgraph: string, open: boolean): void;
}

export interface SubgraphClient {
  readonly fetch: SubgraphFetch<FetchContext>;
  /** Whether a subgraph takes questions of several viewers in one request, as far as it has said. */
  takesTogether(subgraph: string, supergraph: Supergraph): boolean;
  /**
   * Asks several queries of one subgraph in as few requests as it takes, each with the token of its viewer. Each answer comes or fails
   * as that of `fetch` would.
   */
  fetchTogether(asked: readonly Asked[]): readonly Promise<SubgraphResponse>[];
  /**
   * Opens what a supergraph needs. Subgraphs that stay at their address keep their connections and their circuit; those that the
   * last one had and this one has not are closed when nobody can ask them any more.
   */
  use(supergraph: Supergraph): void;
  /** By subgraph of the last supergraph: attempts under way, and fetches that wait for one. */
  loads(): Iterable<readonly [string, ReturnType<SubgraphTraffic['load']>]>;
  /** Fetches under way end with TIMEOUT, and none are made any more. */
  abandon(): void;
  /** Lets running fetches end and closes the connections. */
  close(): Promise<void>;
}

interface Target {
  readonly endpoint: SubgraphEndpoint;
  readonly traffic: SubgraphTraffic;
}

type Targets = ReadonlyMap<string, Target>;

export function createSubgraphClient(options: SubgraphClientOptions): SubgraphClient {
  const { log, metrics, retireAfterMs, maxBroughtBytes } = options;
  const targetsOf = new WeakMap<Supergraph, Targets>();
  let present: Targets = new Map();
  /** Replaced, with the timers that will close them. */
  const retired = new Map<Target, NodeJS.Timeout>();

  const open = (name: string, url: string): Target => {
    const limits = options.limitsOf(name);
    return {
      endpoint: openEndpoint(url, {
        connections: limits.concurrency,
        connectMs: Math.min(limits.timeoutMs, 5_000),
        maxResponseBytes: limits.maxResponseBytes,
        maxBroughtBytes,
        isSharing: limits.isSharing,
      }),
      traffic: createSubgraphTraffic(limits, {
        retried: () => metrics.retried(name),
        circuit(isOpen) {
          metrics.circuit(name, isOpen);
          if (isOpen) log.warn({ subgraph: name }, 'circuit opened: the subgraph is not asked for a while');
          else log.info({ subgraph: name }, 'circuit closed: the subgraph answers again');
        },
      }),
    };
  };

  const all = (): Target[] => [...present.values(), ...retired.keys()];

  const retire = (target: Target): void => {
    const timer = setTimeout(() => {
      retired.delete(target);
      void target.endpoint.close();
    }, retireAfterMs);
    timer.unref();
    retired.set(target, timer);
  };

  /** Runs one exchange with a subgraph through its traffic rules, and tells how it ended. */
  async function attempt<Answer>(
    { subgraph, kind, operationName }: SubgraphRequest,
    context: FetchContext,
    exchange: (endpoint: SubgraphEndpoint, leftMs: number) => Promise<Answer>,
  ): Promise<Answer> {
    const started = performance.now();
    const ended = (outcome: FetchOutcome): void =>
      metrics.fetch(subgraph, outcome, (performance.now() - started) / 1000);
    try {
      const target = targetsOf.get(context.supergraph)?.get(subgraph);
      if (target === undefined) throw new Error('the subgraph has no address over HTTP');
      const { endpoint, traffic } = target;
      const answer = await traffic.fetch(kind, (leftMs) => exchange(endpoint, leftMs));
      ended('ok');
      return answer;
    } catch (error) {
      const outcome = outcomeOf(error, context);
      ended(outcome);
      if (outcome === 'error' || outcome === 'timeout' || outcome === 'too-large') {
        log.warn({ error, subgraph, operation: operationName }, 'subgraph fetch failed');
      }
      throw new CodedError(codeOfOutcome(outcome), undefined, {}, error);
    } finally {
      // Whoever hears of the change and asks again must see it, in every subgraph that it may have reached.
      if (kind === 'mutation') for (const { endpoint } of all()) endpoint.forgetShared();
    }
  }

  const plainFetch: SubgraphFetch<FetchContext> = (request, context) =>
    attempt(request, context, (endpoint, leftMs) => endpoint.ask(request, context, leftMs));

  /** The fetch as a span of its own, whose child the subgraph's is. */
  const tracedFetch: SubgraphFetch<FetchContext> = (request, context) => {
    const { subgraph, kind } = request;
    const settings = {
      kind: SpanKind.CLIENT,
      traceparent: context.traceparent,
      attributes: { 'graphql.subgraph.name': subgraph, 'graphql.operation.type': kind },
    };
    return inSpan(`fetch ${subgraph}`, settings, async (span) => {
      try {
        const response = await plainFetch(request, {
          ...context,
          traceparent: currentTraceparent() ?? context.traceparent,
        });
        span.setAttribute('graphql.subgraph.status', response.errors?.length ? 'errors' : 'ok');
        return response;
      } catch (error) {
        span.setAttribute('graphql.subgraph.status', error instanceof CodedError ? error.code : 'failed');
        throw error;
      }
    });
  };

  const fetch: SubgraphFetch<FetchContext> = (request, context) =>
    (isRecorded(context.traceparent) ? tracedFetch : plainFetch)(request, context);

  const takesTogether = (subgraph: string, supergraph: Supergraph): boolean =>
    targetsOf.get(supergraph)?.get(subgraph)?.endpoint.takesTogether() ?? false;

  const fetchBatch = ({ asked, body }: OperationBatch): Promise<SubgraphResponse>[] => {
    const [{ request, context }] = asked;
    const answering = attempt(request, context, (endpoint, leftMs) =>
      endpoint.askTogether(body, leftMs, context.forwarded),
    );
    return asked.map(async (one, index) => (await answering)[index] ?? fetch(one.request, one.context));
  };

  return {
    fetch,
    takesTogether,
    fetchTogether(asked) {
      const [first] = asked;
      if (first === undefined) return [];
      if (asked.length === 1 || !takesTogether(first.request.subgraph, first.context.supergraph)) {
        return asked.map(({ request, context }) => fetch(request, context));
      }
      return toOperationBatches(asked).flatMap(fetchBatch);
    },

    use(supergraph) {
      const next = new Map<string, Target>();
      const answeredHere = new Set([...supergraph.eventFields.values()].map(({ subgraph }) => subgraph));
      for (const [name, { url }] of supergraph.subgraphs) {
        const known = present.get(name);
        if (known?.endpoint.url === url) next.set(name, known);
        else if (/^https?:/.test(url) && URL.canParse(url)) next.set(name, open(name, url));
        else if (!answeredHere.has(name)) {
          log.warn({ subgraph: name, address: url }, 'the subgraph has no address over HTTP: set SUBGRAPH_URL_<NAME>');
        }
      }
      for (const [name, target] of present) {
        if (next.get(name) === target) continue;
        retire(target);
        metrics.circuit(name, false);
      }
      targetsOf.set(supergraph, next);
      present = next;
    },

    loads: () => [...present].map(([name, { traffic }]) => [name, traffic.load()] as const),

    abandon() {
      for (const { endpoint } of all()) endpoint.abandon();
    },

    async close() {
      for (const timer of retired.values()) clearTimeout(timer);
      const targets = all();
      retired.clear();
      await Promise.all(targets.map(({ endpoint }) => endpoint.close()));
    },
  };
}

function outcomeOf(error: unknown, { signal }: FetchContext): FetchOutcome {
  if (signal?.aborted === true) return 'aborted';
  const refusal = refusalOf(error);
  if (refusal !== undefined) return refusal;
  const reason = error instanceof FailedAttempt ? error.reason : undefined;
  return reason === 'timeout' || reason === 'too-large' ? reason : 'error';
}

function codeOfOutcome(outcome: FetchOutcome): ErrorCode {
  if (outcome === 'timeout' || outcome === 'aborted') return 'TIMEOUT';
  if (outcome === 'too-large') return 'RESPONSE_TOO_LARGE';
  return outcome === 'queue-full' ? 'OVERLOADED' : 'SERVICE_UNAVAILABLE';
}
