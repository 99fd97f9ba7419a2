// Refuses operations whose estimated cost is over the limits. Needs the variables, so it runs for each request; what is
// estimated is remembered for each operation and the variables that decide it.
import { isInputObjectType, Kind, visit } from 'graphql';
import { estimateCost } from './cost.ts';
import type { Cost, Estimate } from './cost.ts';
import { namedTypeOf } from './links.ts';
import type { CompiledOperation } from './executor/operation.ts';
import { exceededLimits, limitError } from './limits.ts';
import type { Exceeded, Limits } from './limits.ts';
import { createLruCache } from './lru.ts';
import type { LruCache } from './lru.ts';
import type { CodedError } from '../service/errors.ts';

/** What an operation is estimated to cost with these variables, and why it is refused; no errors when it is not. */
export type CheckCost = (
  operation: CompiledOperation,
  variables: Readonly<Record<string, unknown>>,
) => { readonly cost: Cost; readonly errors: readonly CodedError[] };

export interface CostLimitOptions {
  readonly limits: Limits;
  /** What a list without `@listSize` is taken to hold. */
  readonly listSize: number;
  /** Told of each limit that a request is over, also of those that only measure. */
  readonly onExceeded?: (exceeded: Exceeded) => void;
}

interface KnownCosts {
  /** The variables that decide the cost; undefined when a value is too rich to be told by its text. */
  readonly variables: readonly string[] | undefined;
  readonly estimates: LruCache<Estimate>;
}

/** Estimates that are remembered for one operation. */
const maxEstimates = 64;

export function createCostLimit({ limits, listSize, onExceeded }: CostLimitOptions): CheckCost {
  const known = new WeakMap<CompiledOperation, KnownCosts>();

  const estimate = (operation: CompiledOperation, variables: Readonly<Record<string, unknown>>): Estimate => {
    let costs = known.get(operation);
    if (costs === undefined) {
      costs = { variables: decidingVariables(operation), estimates: createLruCache({ maxEntries: maxEstimates }) };
      known.set(operation, costs);
    }
    if (costs.variables === undefined) return estimateCost(operation, variables, listSize);
    const key = costs.variables.map((name) => String(variables[name])).join();
    let estimated = costs.estimates.get(key);
    if (estimated === undefined) {
      estimated = estimateCost(operation, variables, listSize);
      costs.estimates.set(key, estimated);
    }
    return estimated;
  };

  return (operation, variables) => {
    const { typeCost, fieldCost, errors } = estimate(operation, variables);
    const exceeded = exceededLimits({ type_cost: typeCost, field_cost: fieldCost }, limits);
    for (const one of exceeded) onExceeded?.(one);
    // Without its slicing argument an estimate means nothing, so that counts as the type cost does.
    const unknown = limits.measureOnly.has('type_cost') ? [] : errors;
    return {
      cost: { typeCost, fieldCost },
      errors: [...unknown, ...exceeded.filter(({ refused }) => refused).map(limitError)],
    };
  };
}

/** Variables of conditions and of slicing arguments; undefined when there are input objects or lists among them. */
function decidingVariables({ supergraph, document, operation }: CompiledOperation): readonly string[] | undefined {
  const slicing = new Set(
    [...supergraph.costRules.fields.values()].flatMap(({ listSize }) =>
      (listSize?.slicingArguments ?? []).map((path) => path.split('.', 1)[0]),
    ),
  );
  const deciding = new Set<string>();
  const note = { Variable: ({ name }: { readonly name: { readonly value: string } }) => void deciding.add(name.value) };
  visit(document, {
    Directive: (directive) => void visit(directive, note),
    Argument: (argument) => {
      if (slicing.has(argument.name.value) || argument.value.kind === Kind.OBJECT) visit(argument, note);
    },
  });
  for (const { variable, type } of operation.variableDefinitions ?? []) {
    const named = supergraph.schema.getType(namedTypeOf(type));
    if (isInputObjectType(named)) return undefined;
    const isList =
      type.kind === Kind.LIST_TYPE || (type.kind === Kind.NON_NULL_TYPE && type.type.kind === Kind.LIST_TYPE);
    if (isList && deciding.has(variable.name.value)) return undefined;
  }
  return [...deciding];
}
