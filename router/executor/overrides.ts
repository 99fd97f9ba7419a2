// Progressive overrides: which fields with `@override(from:, label:)` have moved is decided anew for each request.
import type { Supergraph } from '../supergraph.ts';

/** What was decided for a request. */
export interface Overrides {
  /** The same for the same decisions. */
  readonly key: string;
  /** By label: whether its fields have moved to the subgraph that overrides. */
  readonly conditions: ReadonlyMap<string, boolean>;
}

const none: Overrides = { key: '', conditions: new Map() };

/**
 * Decides each label of the supergraph. `percent(N)` holds for N in a hundred requests, as
 * https://www.apollographql.com/docs/graphos/schema-design/federated-schemas/reference/directives#progressive-override says; any
 * other label would be decided by something outside, of which there is none here, and does not hold.
 */
export function decideOverrides({ overrideLabels }: Supergraph): Overrides {
  if (overrideLabels.length === 0) return none;
  const conditions = new Map(overrideLabels.map((label) => [label, Math.random() * 100 < shareOf(label)]));
  return { key: [...conditions.values()].map(Number).join(''), conditions };
}

function shareOf(label: string): number {
  return Number(/^percent\((\d+(?:\.\d+)?)\)$/.exec(label)?.[1] ?? 0);
}
