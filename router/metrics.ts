// The router's figures for Prometheus. Operation names come from clients, so only the first so many get a label of their own.
import { isErrorCode } from '../service/errors.ts';
import { Counter, createMetrics, Histogram } from '../service/telemetry.ts';
import type { Registry } from '../service/telemetry.ts';

export interface RouterMetrics {
  readonly registry: Registry;
  /** Counts one operation. `outcome` is `ok` or the code of its first error; `seconds` its duration. */
  operation(
    fields: { readonly kind: string; readonly name: string | undefined; readonly outcome: string },
    seconds: number,
  ): void;
  /** Counts one fetch from a subgraph. */
  fetch(subgraph: string, outcome: string, seconds: number): void;
}

const maxOperationNames = 200;
const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export function createRouterMetrics(): RouterMetrics {
  const registry = createMetrics('router');
  const registers = [registry];
  const operations = new Counter({
    name: 'router_operations_total',
    help: 'Operations by kind, name and outcome (ok, or the code of the first error).',
    labelNames: ['kind', 'name', 'outcome'],
    registers,
  });
  const durations = new Histogram({
    name: 'router_operation_duration_seconds',
    help: 'How long operations took.',
    labelNames: ['kind'],
    buckets,
    registers,
  });
  const fetches = new Counter({
    name: 'router_subgraph_fetches_total',
    help: 'Requests to subgraphs by outcome (ok, error, timeout, aborted).',
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
      durations.observe({ kind }, seconds);
    },
    fetch(subgraph, outcome, seconds) {
      fetches.inc({ subgraph, outcome });
      fetchDurations.observe({ subgraph }, seconds);
    },
  };
}
