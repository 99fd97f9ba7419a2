// Refuses operations whose estimated cost is over the limits. Needs the variables, so it runs for each request; what is
// estimated is remembered for each operation and the variables that decide it.
import { isInputObjectType, Kind, visit } from 'graphql';
import { estimateCost } from './cost.ts';
import type { Cost } from './cost.ts';
import { namedTypeOf } from './links.ts';
import type { CompiledOperation } from './executor/operation.ts';
import { exceededLimits, limitError } from './limits.ts';
import type { Exceeded, Limits } from './limits.ts';
import { createLruCache } from './lru.ts';
import type { LruCache } from './lru.ts';
import type { CodedError } from '../service/errors.ts';

/** What an operation is estimated to cost, and why it is refused; no errors when it is not. */
export interface CostVerdict {
  readonly cost: Cost;
  readonly errors: readonly CodedError[];
  readonly exceeded: readonly Exceeded[];
}

/** Judges an operation with its variables. */
export type CheckCost = (
  operation: CompiledOperation,
  variables: Readonly<Record<string, unknown>>,
) => Pick<CostVerdict, 'cost' | 'errors'>;

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
  readonly verdicts: LruCache<CostVerdict>;
}

/** Verdicts that are remembered for one operation. */
const maxVerdicts = 64;

export function createCostLimit({ limits, listSize, onExceeded }: CostLimitOptions): CheckCost {
  const known = new WeakMap<CompiledOperation, KnownCosts>();

  const judge = (operation: CompiledOperation, variables: Readonly<Record<string, unknown>>): CostVerdict => {
    const { typeCost, fieldCost, errors } = estimateCost(operation, variables, listSize);
    const exceeded = exceededLimits({ type_cost: typeCost, field_cost: fieldCost }, limits);
    // Without its slicing argument an estimate means nothing, so that counts as the type cost does.
    const unknown = limits.measureOnly.has('type_cost') ? [] : errors;
    return {
      cost: { typeCost, fieldCost },
      errors: [...unknown, ...exceeded.filter(({ refused }) => refused).map(limitError)],
      exceeded,
    };
  };

  const verdictOf = (operation: CompiledOperation, variables: Readonly<Record<string, unknown>>): CostVerdict => {
    let costs = known.get(operation);
    if (costs === undefined) {
      costs = { variables: decidingVariables(operation), verdicts: createLruCache({ maxEntries: maxVerdicts }) };
      known.set(operation, costs);
    }
    if (costs.variables === undefined) return judge(operation, variables);
    const key = costs.variables.map((name) => String(variables[name])).join();
    let verdict = costs.verdicts.get(key);
    if (verdict === undefined) {
      verdict = judge(operation, variables);
      costs.verdicts.set(key, verdict);
    }
    return verdict;
  };

  return (operation, variables) => {
    const verdict = verdictOf(operation, variables);
    if (onExceeded !== undefined) for (const one of verdict.exceeded) onExceeded(one);
    return verdict;
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
