// The router's figures for Prometheus. Operation names come from clients, so only the first so many get a label of their own.
import type { Exceeded } from './limits.ts';
import { isErrorCode } from '../service/errors.ts';
import type { ErrorCode } from '../service/errors.ts';
import { Counter, createMetrics, Gauge, Histogram } from '../service/telemetry.ts';
import type { Registry } from '../service/telemetry.ts';
import type { Overload } from './traffic/admission.ts';
import type { ReloadOutcome } from './reload.ts';
import type { SubgraphClient, SubgraphMetrics } from './subgraph-client.ts';

export interface RouterMetrics extends SubgraphMetrics {
  readonly registry: Registry;
  /**
   * Counts one operation. `outcome` is `ok` or the code of its first error; `seconds` its duration, which says nothing of a
   * subscription: that is counted when it has begun or was refused.
   */
  operation(
    fields: { readonly kind: string; readonly name: string | undefined; readonly outcome: string },
    seconds: number,
  ): void;
  /** A request was refused before anything was known of an operation. */
  refused(code: ErrorCode): void;
  /** A request was not taken on. */
  shed(overload: Overload): void;
  /** Where to read how many requests are under way. */
  readUnderWay(count: () => number): void;
  /** A new supergraph was offered. */
  reloaded(outcome: ReloadOutcome): void;
  /** Where to read how busy the subgraphs are, whenever the figures are asked for. */
  readLoads(loads: SubgraphClient['loads']): void;
  /** Counts one operation that is not on the list of persisted operations. */
  unlisted(refused: boolean): void;
  /** Counts one operation that is over a limit. */
  limit(exceeded: Exceeded): void;
}

const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** @param maxOperationNames names that get a label of their own, the first that come; the others share `other`. */
export function createRouterMetrics({ maxOperationNames }: { readonly maxOperationNames: number }): RouterMetrics {
  const registry = createMetrics('router');
  const registers = [registry];
  const operations = new Counter({
    name: 'router_operations_total',
    help: 'Operations by kind, name and outcome (ok, or the code of the first error); subscriptions by how they began.',
    labelNames: ['kind', 'name', 'outcome'],
    registers,
  });
  const durations = new Histogram({
    name: 'router_operation_duration_seconds',
    help: 'How long queries and mutations took.',
    labelNames: ['kind'],
    buckets,
    registers,
  });
  const fetches = new Counter({
    name: 'router_subgraph_fetches_total',
    help: 'Requests to subgraphs by outcome (ok, error, timeout, too-large, aborted, circuit-open, queue-full).',
    labelNames: ['subgraph', 'outcome'],
    registers,
  });
  const fetchDurations = new Histogram({
    name: 'router_subgraph_fetch_duration_seconds',
    help: 'How long requests to subgraphs took.',
    labelNames: ['subgraph'],
    buckets,
    registers,
  });
  const retries = new Counter({
    name: 'router_subgraph_retries_total',
    help: 'Requests to subgraphs that were made once more.',
    labelNames: ['subgraph'],
    registers,
  });
  const circuits = new Gauge({
    name: 'router_subgraph_circuit_open',
    help: 'Whether a subgraph is not asked because too much failed: 1 or 0.',
    labelNames: ['subgraph'],
    registers,
  });
  const unlisted = new Counter({
    name: 'router_unlisted_operations_total',
    help: 'Operations that are not on the list of persisted operations, and whether they were refused for it.',
    labelNames: ['refused'],
    registers,
  });
  const exceeded = new Counter({
    name: 'router_limits_exceeded_total',
    help: 'Operations over a limit, and whether they were refused for it or only measured.',
    labelNames: ['limit', 'refused'],
    registers,
  });
  const refused = new Counter({
    name: 'router_requests_refused_total',
    help: 'HTTP requests that were refused before anything was known of an operation, by code.',
    labelNames: ['code'],
    registers,
  });
  const shed = new Counter({
    name: 'router_requests_shed_total',
    help: 'Requests answered 503 because there was too much to do, by its sign (under-way, loop-delay).',
    labelNames: ['reason'],
    registers,
  });
  const reloads = new Counter({
    name: 'router_supergraph_reloads_total',
    help: 'New supergraphs by outcome (switched, refused).',
    labelNames: ['outcome'],
    registers,
  });
  const names = new Set<string>();
  const boundedName = (name: string | undefined): string => {
    if (name === undefined) return '';
    if (names.size < maxOperationNames) names.add(name);
    return names.has(name) ? name : 'other';
  };

  return {
    registry,
    operation({ kind, name, outcome }, seconds) {
      const known = outcome === 'ok' || isErrorCode(outcome);
      operations.inc({ kind, name: boundedName(name), outcome: known ? outcome : 'OTHER' });
      if (kind !== 'subscription') durations.observe({ kind }, seconds);
    },
    fetch(subgraph, outcome, seconds) {
      fetches.inc({ subgraph, outcome });
      fetchDurations.observe({ subgraph }, seconds);
    },
    retried: (subgraph) => retries.inc({ subgraph }),
    refused: (code) => refused.inc({ code }),
    shed: (reason) => shed.inc({ reason }),
    readUnderWay(count) {
      new Gauge({
        name: 'router_requests_under_way',
        help: 'GraphQL requests over HTTP now.',
        registers,
        collect() {
          this.set(count());
        },
      });
    },
    reloaded: (outcome) => reloads.inc({ outcome }),
    readLoads(loads) {
      new Gauge({
        name: 'router_subgraph_requests',
        help: 'Requests to subgraphs now, by state (running, waiting).',
        labelNames: ['subgraph', 'state'],
        registers,
        collect() {
          this.reset();
          for (const [subgraph, { running, waiting }] of loads()) {
            this.set({ subgraph, state: 'running' }, running);
            this.set({ subgraph, state: 'waiting' }, waiting);
          }
        },
      });
    },
    circuit: (subgraph, open) => circuits.set({ subgraph }, open ? 1 : 0),
    unlisted: (refused) => unlisted.inc({ refused: String(refused) }),
    limit({ limit, refused }) {
      exceeded.inc({ limit, refused: String(refused) });
    },
  };
}
