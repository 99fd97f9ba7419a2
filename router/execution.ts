// Executes a prepared query or mutation for one viewer: coerces its variables, leaves out what the viewer may not have, runs it.
import { getVariableValues } from 'graphql';
import type { DocumentNode, ExecutionResult, GraphQLError } from 'graphql';
import { CodedError } from '../service/errors.ts';
import { permit } from './auth.ts';
import { withCode } from './errors.ts';
import { executeOperation } from './executor/execute.ts';
import type { SubgraphFetch } from './executor/execute.ts';
import { compileOperation } from './executor/operation.ts';
import type { CompiledOperation } from './executor/operation.ts';
import type { RequestContext } from './subgraph-client.ts';

/** Coerced variables, or the BAD_USER_INPUT errors of those that do not fit. The same for HTTP and sockets. */
export type CoercedVariables =
  | { readonly ok: true; readonly values: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly errors: readonly GraphQLError[] };

const maxCoercionErrors = 20;

export function coerceVariables(
  operation: CompiledOperation,
  given: Readonly<Record<string, unknown>> | undefined,
): CoercedVariables {
  const definitions = operation.operation.variableDefinitions ?? [];
  if (definitions.length === 0) return { ok: true, values: {} };
  const result = getVariableValues(operation.supergraph.schema, definitions, given ?? {}, {
    maxErrors: maxCoercionErrors,
  });
  if (result.coerced !== undefined) return { ok: true, values: result.coerced };
  return { ok: false, errors: result.errors.map((error) => withCode(error, 'BAD_USER_INPUT')) };
}

/** Runs an operation. Never rejects; errors are not masked yet. */
export async function runOperation(
  operation: CompiledOperation,
  variables: Readonly<Record<string, unknown>>,
  fetch: SubgraphFetch<RequestContext>,
  context: RequestContext,
): Promise<ExecutionResult> {
  if (operation.kind === 'subscription') {
    return {
      errors: [new CodedError('BAD_REQUEST', 'Subscriptions are not answered by a single response; use a WebSocket.')],
    };
  }
  const permission = permit(operation, context.viewer);
  if (operation.kind === 'mutation') {
    // A mutation that may be run in part only is not run at all; one that runs is not cut short by a client that has gone.
    if (permission.errors.length > 0) return { data: null, errors: permission.errors };
    return executeOperation(operation, variables, fetch, { ...context, signal: undefined });
  }
  if (permission.errors.length === 0) return executeOperation(operation, variables, fetch, context);
  const result = await executeOperation(permittedPart(operation, permission.document), variables, fetch, context);
  return { ...result, errors: [...permission.errors, ...(result.errors ?? [])] };
}

const permittedParts = new WeakMap<DocumentNode, CompiledOperation>();
const emptyParts = new WeakMap<CompiledOperation, CompiledOperation>();

/** The operation with the plan of the permitted part, and its own shape: a refused field is null, and nulls rise as ever. */
function permittedPart(operation: CompiledOperation, permitted: DocumentNode | undefined): CompiledOperation {
  const known = permitted === undefined ? emptyParts.get(operation) : permittedParts.get(permitted);
  if (known !== undefined) return known;
  const part =
    permitted === undefined
      ? { ...operation, plan: { kind: 'QueryPlan' as const } }
      : { ...operation, plan: compileOperation(operation.supergraph, permitted, operation.name).plan };
  if (permitted === undefined) emptyParts.set(operation, part);
  else permittedParts.set(permitted, part);
  return part;
}
