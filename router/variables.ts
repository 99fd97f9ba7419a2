// Coerces the variables of a request by the types of its operation. HTTP and sockets ask the same function.
import {
  getVariableValues,
  GraphQLBoolean,
  GraphQLError,
  GraphQLFloat,
  GraphQLID,
  GraphQLInt,
  GraphQLString,
  Kind,
} from 'graphql';
import type { GraphQLNamedType, VariableDefinitionNode } from 'graphql';
import { CodedError } from '../service/errors.ts';
import { withCode } from './errors.ts';
import type { CompiledOperation } from './executor/operation.ts';

type Values = Readonly<Record<string, unknown>>;

/** Coerced variables, or the BAD_USER_INPUT errors of those that do not fit. */
export type CoercedVariables =
  { readonly ok: true; readonly values: Values } | { readonly ok: false; readonly errors: readonly GraphQLError[] };

/** What the variables of an operation may be: coercion, cost and the text of a fetch look at each value, and go down them by recursion. */
export interface VariableLimits {
  /** Levels of lists and objects in one. */
  readonly depth: number;
  /** Values in all of them together, lists and objects included. */
  readonly values: number;
}

/** Coerces what an operation is given, if it is within the limits. */
export function coerceVariables(
  operation: CompiledOperation,
  given: Values | undefined,
  limits: VariableLimits,
): CoercedVariables {
  const definitions = operation.operation.variableDefinitions ?? [];
  if (definitions.length === 0) return { ok: true, values: {} };
  const asTheyAre = takeAsTheyAre(operation, definitions, given ?? {});
  if (asTheyAre !== undefined) return { ok: true, values: asTheyAre };
  const { count, weight, tooDeep } = measure(definitions, given ?? {}, limits);
  if (count > limits.values) return { ok: false, errors: [countError(limits.values)] };
  if (tooDeep.length > 0)
    return { ok: false, errors: tooDeep.map((definition) => depthError(definition, limits.depth)) };
  const result = getVariableValues(operation.supergraph.schema, definitions, given ?? {}, {
    maxErrors: Math.max(1, Math.min(maxErrors, Math.floor(maxQuotedWeight / weight))),
  });
  if (result.coerced !== undefined) return { ok: true, values: result.coerced };
  return { ok: false, errors: result.errors.map((error) => withCode(error, 'BAD_USER_INPUT')) };
}

const maxErrors = 20;
/** Each error may quote a whole variable, so the heavier they are, the fewer are told. */
const maxQuotedWeight = 20_000;
const charactersPerValue = 50;

/** Looks no further than is needed to know that a limit is passed. */
function measure(
  definitions: readonly VariableDefinitionNode[],
  given: Values,
  limits: VariableLimits,
): { readonly count: number; readonly weight: number; readonly tooDeep: readonly VariableDefinitionNode[] } {
  let count = 0;
  let characters = 0;
  const isDeeper = (value: unknown, levels: number): boolean => {
    count += 1;
    if (typeof value === 'string') characters += value.length;
    if (typeof value !== 'object' || value === null || count > limits.values) return false;
    if (levels === 0) return true;
    return (Array.isArray(value) ? value : Object.values(value)).some((inner) => isDeeper(inner, levels - 1));
  };
  const tooDeep = definitions.filter(({ variable }) => isDeeper(given[variable.name.value], limits.depth));
  return { count, weight: count + characters / charactersPerValue, tooDeep };
}

const countError = (allowed: number): GraphQLError =>
  new CodedError('BAD_USER_INPUT', `The variables hold more values than the ${allowed} that are allowed.`, { allowed });

function depthError(definition: VariableDefinitionNode, allowed: number): GraphQLError {
  const name = definition.variable.name.value;
  const message = `Variable "$${name}" is nested deeper than the ${allowed} levels that are allowed.`;
  return withCode(new GraphQLError(message, { nodes: definition, extensions: { allowed } }), 'BAD_USER_INPUT');
}

/** A variable of a built-in scalar, whose values mostly need no coercion. */
interface PlainVariable {
  readonly name: string;
  readonly isNonNull: boolean;
  readonly hasDefault: boolean;
  /** Whether coercion would give the value itself. False says nothing yet. */
  readonly isCoerced: (value: unknown) => boolean;
}

const coercedTests = new Map<GraphQLNamedType | undefined, PlainVariable['isCoerced']>([
  [GraphQLString, (value) => typeof value === 'string'],
  [GraphQLID, (value) => typeof value === 'string'],
  [GraphQLBoolean, (value) => typeof value === 'boolean'],
  [GraphQLInt, (value) => typeof value === 'number' && (value | 0) === value],
  [GraphQLFloat, (value) => typeof value === 'number' && Number.isFinite(value)],
]);

const plainVariables = new WeakMap<CompiledOperation, readonly PlainVariable[] | undefined>();

/** The coerced values where all are there and right, in a tenth of the time; undefined where graphql-js has to look. */
function takeAsTheyAre(
  operation: CompiledOperation,
  definitions: readonly VariableDefinitionNode[],
  given: Values,
): Values | undefined {
  if (!plainVariables.has(operation)) plainVariables.set(operation, toPlainVariables(operation, definitions));
  const plain = plainVariables.get(operation);
  if (plain === undefined) return undefined;
  const values: Record<string, unknown> = {};
  for (const { name, isNonNull, hasDefault, isCoerced } of plain) {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    if (value === undefined) {
      if (isNonNull || hasDefault || Object.hasOwn(given, name)) return undefined;
    } else if (value === null ? !isNonNull : isCoerced(value)) {
      values[name] = value;
    } else {
      return undefined;
    }
  }
  return values;
}

/** Undefined: one of them is no built-in scalar. */
function toPlainVariables(
  { supergraph: { schema } }: CompiledOperation,
  definitions: readonly VariableDefinitionNode[],
): readonly PlainVariable[] | undefined {
  const plain = definitions.flatMap(({ variable, type, defaultValue }): PlainVariable[] => {
    const inner = type.kind === Kind.NON_NULL_TYPE ? type.type : type;
    const named = inner.kind === Kind.NAMED_TYPE ? schema.getType(inner.name.value) : undefined;
    const isCoerced = coercedTests.get(named);
    if (isCoerced === undefined) return [];
    const isNonNull = type.kind === Kind.NON_NULL_TYPE;
    return [{ name: variable.name.value, isNonNull, hasDefault: defaultValue !== undefined, isCoerced }];
  });
  return plain.length === definitions.length ? plain : undefined;
}
