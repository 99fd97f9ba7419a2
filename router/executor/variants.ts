// The variants of one operation: for each combination of what its @skip and @include say, and of the overrides that hold, a plan
// and the shape of the response. The planner (2.14.4) makes wrong plans where a conditional field requires others, and better ones without
// conditions; so conditions are decided before it plans.
import { operationFromDocument } from '@apollo/federation-internals';
import { GraphQLError, Kind } from 'graphql';
import type { DocumentNode, FieldNode, OperationDefinitionNode, SelectionSetNode } from 'graphql';
import { CodedError } from '../../service/errors.ts';
import { withCode } from '../errors.ts';
import type { Supergraph } from '../supergraph.ts';
import { conditionVariablesOf } from './conditions.ts';
import type { DataObject } from './data.ts';
import { separateTypes } from './interface-object.ts';
import { resolveIntrospection } from './introspection.ts';
import { dataKeysFor, documentToPlan } from './keys.ts';
import { decideOverrides, hasChance, type Overrides } from './overrides.ts';
import { compilePlan, type CompiledPlan } from './plan.ts';
import { haveRequirementsMet, planRequirements } from './requirement-plan.ts';
import { compileFastShaper, type FastShaper } from './shape-fast.ts';
import { shapeExactly, type Shaped } from './shape-exact.ts';
import { compileShape, type ObjectShape, type Selectable } from './shape.ts';
import { withoutUnmatchable } from './unmatchable.ts';

/** An operation with its conditions decided. */
export interface Variant {
  readonly plan: CompiledPlan;
  /** Shapes the tree that the fetches fill. */
  readonly shaper: Shaper;
  /** Shapes the plain payload of an event, whose keys are field names. */
  readonly eventShaper: Shaper;
}

/** Shapes data into a response. */
export interface Shaper {
  /** The response of clean data, where what is missing is null; undefined when `exactly` has to be asked. */
  readonly quickly: (data: DataObject) => DataObject | undefined;
  readonly exactly: (data: DataObject, variables: Readonly<Record<string, unknown>>) => Shaped;
}

/** Finds the variant for given variables; makes it when it first comes by. Throws GraphQLError when it cannot be planned. */
export type FindVariant = (variables: Readonly<Record<string, unknown>>) => Variant;

/** The operation, and the part of its document that the viewer may have: the same, less, or nothing. */
export interface VariantSource {
  readonly supergraph: Supergraph;
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  readonly permitted: DocumentNode | undefined;
}

/** So many combinations of conditions are kept for one operation. */
const maxVariants = 16;

/** Prepares the variants of an operation. Where nothing decides between several, the only one is made at once. */
export function createVariants(source: VariantSource): FindVariant {
  const conditions = conditionVariablesOf(selectableOf(source.document, source.operation));
  if (conditions.length === 0 && !hasChance(source.supergraph)) {
    const only = createVariant(source, {}, decideOverrides(source.supergraph));
    return () => only;
  }
  const variants = new Map<string, Variant>();
  return (variables) => {
    const overrides = decideOverrides(source.supergraph);
    let { key } = overrides;
    for (const name of conditions) key += variables[name] === true ? '1' : '0';
    let variant = variants.get(key);
    if (!variant) {
      // The variables that decide nothing must not be kept.
      const deciding = Object.fromEntries(conditions.map((name) => [name, variables[name] === true]));
      variant = createVariant(source, deciding, overrides);
      if (variants.size >= maxVariants) variants.clear();
      variants.set(key, variant);
    }
    return variant;
  };
}

function createVariant(
  source: VariantSource,
  variables: Readonly<Record<string, unknown>>,
  overrides: Overrides,
): Variant {
  const { supergraph, document, operation, permitted } = source;
  const { schema } = supergraph;
  const rootType = schema.getRootType(operation.operation);
  if (!rootType) throw new CodedError('GRAPHQL_VALIDATION_FAILED', `The schema has no ${operation.operation} type.`);
  const keyOf = dataKeysFor(document, supergraph);
  const whole = selectableOf(document, operation);
  const left = permitted === document ? whole : permitted && selectableOf(permitted, operation);
  const shaperFor = (keyOf: (field: FieldNode) => string): Shaper =>
    createShaper(source, compileShape({ schema, variables, dataKeyOf: keyOf }, rootType, whole, left));
  return {
    plan: permitted
      ? planOf(source, withoutUnmatchable(documentToPlan(permitted, keyOf, variables), supergraph), overrides)
      : compilePlan(supergraph, { kind: 'QueryPlan' }),
    shaper: shaperFor(keyOf),
    eventShaper: shaperFor((field) => field.name.value),
  };
}

/** Makes the shaper of a compiled shape. */
export function createShaper(source: VariantSource, shape: ObjectShape): Shaper {
  let fast: FastShaper | undefined;
  let uses = 0;
  return {
    quickly: (data) => {
      // An operation that is executed once is not worth the compiling.
      if (++uses === 2) fast = compileFastShaper(shape, source.supergraph.schema);
      return fast?.(data);
    },
    exactly: (data, variables) => shapeExactly(shape, data, (field) => resolveIntrospection(source, field, variables)),
  };
}

/**
 * Plans and compiles a document.
 * @throws GraphQLError GRAPHQL_VALIDATION_FAILED for what the client has to change; CodedError INTERNAL_SERVER_ERROR, which is answered
 * 500 and names the operation to the log, for every other failure: the document is valid, so it is ours.
 */
export function planOf(
  { supergraph, operation }: VariantSource,
  document: DocumentNode,
  overrides: Overrides,
): CompiledPlan {
  try {
    const planSource = { supergraph, document, operation, overrides };
    const planAnew = (): CompiledPlan => compilePlan(supergraph, planRequirements(planSource));
    if (haveRequirementsMet(planSource)) return planAnew();
    const federationOperation = operationFromDocument(supergraph.apiSchema, document, {
      ...(operation.name ? { operationName: operation.name.value } : {}),
      validate: false,
    });
    const plan = supergraph.planner.buildQueryPlan(federationOperation, {
      // The planner declares a map that it could change, and only reads it.
      overrideConditions: new Map(overrides.conditions),
    });
    const compiled = compilePlan(supergraph, separateTypes(supergraph, document, plan));
    return compiled.isMisordered ? planAnew() : compiled;
  } catch (error) {
    // The planner takes literals more strictly than graphql-js, to which 1e999 is a Float.
    if (error instanceof GraphQLError && error.extensions['code'] === 'INVALID_GRAPHQL') {
      throw withCode(error, 'GRAPHQL_VALIDATION_FAILED');
    }
    const what = `the ${operation.operation} ${operation.name?.value ?? 'without a name'} cannot be planned`;
    const cause = new Error(`${what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    throw new CodedError('INTERNAL_SERVER_ERROR', undefined, { http: { status: 500 } }, cause);
  }
}

/** The selection of an operation in a document, by its name; empty when it is not there. */
export function selectableOf(document: DocumentNode, { name }: OperationDefinitionNode): Selectable {
  const fragments: Selectable['fragments'] = new Map(
    document.definitions.flatMap((one) => (one.kind === Kind.FRAGMENT_DEFINITION ? [[one.name.value, one]] : [])),
  );
  const empty: SelectionSetNode = { kind: Kind.SELECTION_SET, selections: [] };
  const operation = document.definitions.find(
    (one) => one.kind === Kind.OPERATION_DEFINITION && one.name?.value === name?.value,
  );
  return { selectionSet: operation && 'selectionSet' in operation ? operation.selectionSet : empty, fragments };
}
