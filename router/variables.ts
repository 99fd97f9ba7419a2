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
import { withCode } from './errors.ts';
import type { CompiledOperation } from './executor/operation.ts';

type Values = Readonly<Record<string, unknown>>;

/** Coerced variables, or the BAD_USER_INPUT errors of those that do not fit. */
export type CoercedVariables =
  { readonly ok: true; readonly values: Values } | { readonly ok: false; readonly errors: readonly GraphQLError[] };

const maxCoercionErrors = 20;

/** @param maxDepth levels of lists and objects that a value may have: coercion, and the text of a fetch, go down them by recursion. */
export function coerceVariables(
  operation: CompiledOperation,
  given: Values | undefined,
  maxDepth: number,
): CoercedVariables {
  const definitions = operation.operation.variableDefinitions ?? [];
  if (definitions.length === 0) return { ok: true, values: {} };
  const asTheyAre = takeAsTheyAre(operation, definitions, given ?? {});
  if (asTheyAre !== undefined) return { ok: true, values: asTheyAre };
  const tooDeep = definitions.filter(({ variable }) => isDeeper(given?.[variable.name.value], maxDepth));
  if (tooDeep.length > 0) return { ok: false, errors: tooDeep.map((definition) => depthError(definition, maxDepth)) };
  const result = getVariableValues(operation.supergraph.schema, definitions, given ?? {}, {
    maxErrors: maxCoercionErrors,
  });
  if (result.coerced !== undefined) return { ok: true, values: result.coerced };
  return { ok: false, errors: result.errors.map((error) => withCode(error, 'BAD_USER_INPUT')) };
}

const isDeeper = (value: unknown, levels: number): boolean =>
  typeof value === 'object' &&
  value !== null &&
  (levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1)));

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
