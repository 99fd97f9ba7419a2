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
 * other one for all, when the configuration names it, or for none.
 */
export function decideOverrides({ overrideShares }: Supergraph): Overrides {
  if (overrideShares.size === 0) return none;
  const conditions = new Map([...overrideShares].map(([label, share]) => [label, Math.random() * 100 < share]));
  return { key: [...conditions.values()].map(Number).join(''), conditions };
}

/** Whether chance decides a label. */
export const hasChance = ({ overrideShares }: Supergraph): boolean =>
  [...overrideShares.values()].some((share) => share > 0 && share < 100);
