// Turns a valid document into something that can be executed many times: the official planner's plan and the compiled shape of the response.
import { operationFromDocument } from '@apollo/federation-internals';
import type { QueryPlan } from '@apollo/query-planner';
import { getOperationAST, GraphQLError, type DocumentNode, type OperationDefinitionNode } from 'graphql';
import type { Supergraph } from '../supergraph.ts';

/** An operation of one supergraph, ready to be executed any number of times. Immutable: keep it in a cache. */
export interface CompiledOperation {
  readonly supergraph: Supergraph;
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  readonly kind: 'query' | 'mutation' | 'subscription';
  readonly name: string | undefined;
  readonly plan: QueryPlan;
}

/**
 * Plans and compiles one operation of a document that has passed validation against `supergraph.schema`.
 * @throws GraphQLError OPERATION_RESOLUTION_FAILURE when the document has no such operation, or the planner's own error.
 */
export function compileOperation(
  supergraph: Supergraph,
  document: DocumentNode,
  operationName: string | undefined,
): CompiledOperation {
  const operation = getOperationAST(document, operationName);
  if (!operation) {
    throw new GraphQLError('The document does not say which operation to run.', {
      extensions: { code: 'OPERATION_RESOLUTION_FAILURE' },
    });
  }
  const plan = supergraph.planner.buildQueryPlan(
    operationFromDocument(supergraph.apiSchema, document, {
      ...(operation.name ? { operationName: operation.name.value } : {}),
      validate: false,
    }),
  );
  return { supergraph, document, operation, kind: operation.operation, name: operation.name?.value, plan };
}
