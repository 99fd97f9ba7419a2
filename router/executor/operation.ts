// Turns a valid document into something that can be executed many times.
import { getOperationAST, Kind } from 'graphql';
import type { DocumentNode, OperationDefinitionNode } from 'graphql';
import { CodedError } from '../../service/errors.ts';
import type { Supergraph } from '../supergraph.ts';
import { conditionVariablesOf } from './conditions.ts';
import { hasDefer } from './defer.ts';
import { createDeferrals, type FindDeferral } from './deferral.ts';
import { hasChance } from './overrides.ts';
import type { Selectable } from './shape.ts';
import { createVariants, selectableOf, type FindVariant } from './variants.ts';

/** An operation of one supergraph, ready to be executed any number of times: keep it in a cache. */
export interface CompiledOperation {
  readonly supergraph: Supergraph;
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  readonly kind: 'query' | 'mutation' | 'subscription';
  readonly name: string | undefined;
  /** Plan and shape, as the variables decide @skip and @include. */
  readonly variantFor: FindVariant;
  /** Whether anything in it is marked with `@defer`. */
  readonly mayDefer: boolean;
  /** What is deferred, for those who can answer in pieces. */
  readonly deferralFor: FindDeferral;
  /** Whether variables, or overrides that hold by chance, decide what is asked. */
  readonly isConditional: boolean;
  /** The field of a subscription. */
  readonly rootField: string | undefined;
}

/**
 * Plans and compiles one operation of a document that has passed validation against `supergraph.schema`. What depends on
 * the variables of @skip and @include is planned when they are known.
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
  const kind = operation.operation;
  const source = { supergraph, document, operation, permitted };
  return {
    supergraph,
    document,
    operation,
    kind,
    name: operation.name?.value,
    variantFor: createVariants(source),
    mayDefer: hasDefer(document),
    deferralFor: createDeferrals(source),
    isConditional: hasChance(supergraph) || conditionVariablesOf(selectableOf(document, operation)).length > 0,
    rootField: kind === 'subscription' ? rootFieldOf(selectableOf(document, operation)) : undefined,
  };
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
