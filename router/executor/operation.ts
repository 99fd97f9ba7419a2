// Turns a valid document into something that can be executed many times: the official planner's plan, compiled, and the
// compiled shape of the response.
import { operationFromDocument } from '@apollo/federation-internals';
import type { QueryPlan } from '@apollo/query-planner';
import { getOperationAST, GraphQLError, Kind } from 'graphql';
import type { DocumentNode, OperationDefinitionNode } from 'graphql';
import { CodedError } from '../../service/errors.ts';
import type { Supergraph } from '../supergraph.ts';
import { dataKeyOf, documentToPlan } from './keys.ts';
import { compilePlan } from './plan.ts';
import { createShapes, type Shapes } from './shapes.ts';
import type { Selectable } from './shape.ts';

/** An operation of one supergraph, ready to be executed any number of times: keep it in a cache. */
export interface CompiledOperation {
  readonly supergraph: Supergraph;
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  readonly kind: 'query' | 'mutation' | 'subscription';
  readonly name: string | undefined;
  readonly plan: QueryPlan;
  /** How the tree that the fetches fill becomes the response. */
  readonly shapes: Shapes;
  /** The same for the plain payload of an event: its keys are field names. */
  readonly eventShapes: Shapes;
  /** The field of a subscription. */
  readonly rootField: string | undefined;
}

/**
 * Plans and compiles one operation of a document that has passed validation against `supergraph.schema`.
 * @throws GraphQLError OPERATION_RESOLUTION_FAILURE when the document has no such operation; INTERNAL_SERVER_ERROR when
 * the planner cannot plan it.
 */
export function compileOperation(
  supergraph: Supergraph,
  document: DocumentNode,
  operationName: string | undefined,
): CompiledOperation {
  return compile(supergraph, document, document, operationName);
}

/**
 * The operation for a viewer who may not have all of it: only the permitted part is asked for, and what is left out is
 * null, with the nulls rising as ever.
 * @param permitted the document without those fields; undefined when nothing is left of the operation.
 */
export function restrictOperation(
  operation: CompiledOperation,
  permitted: DocumentNode | undefined,
): CompiledOperation {
  return compile(operation.supergraph, operation.document, permitted, operation.name);
}

function compile(
  supergraph: Supergraph,
  document: DocumentNode,
  permitted: DocumentNode | undefined,
  operationName: string | undefined,
): CompiledOperation {
  const operation = getOperationAST(document, operationName);
  if (!operation) throw new CodedError('OPERATION_RESOLUTION_FAILURE');
  const plan: QueryPlan = permitted ? planOf(supergraph, permitted, operation) : { kind: 'QueryPlan' };
  const whole = selectableOf(document, operation);
  const left = permitted === document ? whole : permitted && selectableOf(permitted, operation);
  const source = { supergraph, document, operation };
  return {
    supergraph,
    document,
    operation,
    kind: operation.operation,
    name: operation.name?.value,
    plan,
    shapes: createShapes(source, whole, left, (field) => dataKeyOf(field, supergraph)),
    eventShapes: createShapes(source, whole, left, (field) => field.name.value),
    rootField: operation.operation === 'subscription' ? rootFieldOf(whole) : undefined,
  };
}

function planOf(supergraph: Supergraph, document: DocumentNode, { name }: OperationDefinitionNode): QueryPlan {
  try {
    const plan = supergraph.planner.buildQueryPlan(
      operationFromDocument(supergraph.apiSchema, documentToPlan(document, supergraph), {
        ...(name ? { operationName: name.value } : {}),
        validate: false,
      }),
    );
    compilePlan(supergraph, plan);
    return plan;
  } catch (error) {
    if (error instanceof GraphQLError) throw error;
    throw new CodedError('INTERNAL_SERVER_ERROR', undefined, {}, error);
  }
}

function selectableOf(document: DocumentNode, { name }: OperationDefinitionNode): Selectable {
  const fragments = new Map(
    document.definitions.flatMap((one) => (one.kind === Kind.FRAGMENT_DEFINITION ? [[one.name.value, one]] : [])),
  );
  const operation = getOperationAST(document, name?.value);
  return { selectionSet: operation?.selectionSet ?? { kind: Kind.SELECTION_SET, selections: [] }, fragments };
}

function rootFieldOf({ selectionSet, fragments }: Selectable): string | undefined {
  for (const selection of selectionSet.selections) {
    if (selection.kind === Kind.FIELD) return selection.name.value;
    const fragment = selection.kind === Kind.FRAGMENT_SPREAD ? fragments.get(selection.name.value) : selection;
    const name = fragment && rootFieldOf({ selectionSet: fragment.selectionSet, fragments });
    if (name !== undefined) return name;
  }
  return undefined;
}
