// Executes a prepared query or mutation for one viewer: coerces its variables, leaves out what the viewer may not have, runs it.
import type { ExecutionResult } from 'graphql';
import { CodedError } from '../service/errors.ts';
import { permit } from './auth.ts';
import type { Permission } from './auth.ts';
import type { CheckCost } from './cost-limit.ts';
import { brokenResult, executeOperation } from './executor/execute.ts';
import type { Deferral } from './executor/deferral.ts';
import { executeIncrementally } from './executor/incremental.ts';
import type { IncrementalExecution } from './executor/incremental.ts';
import type { SubgraphFetch } from './executor/execute.ts';
import { restrictOperation } from './executor/operation.ts';
import type { CompiledOperation } from './executor/operation.ts';
import type { FetchContext, RequestContext } from './subgraph-client.ts';
import { coerceVariables } from './variables.ts';
import type { VariableLimits } from './variables.ts';

/** What an operation is run with. */
export interface ExecutionDeps {
  readonly fetch: SubgraphFetch<FetchContext>;
  readonly checkCost: CheckCost;
  readonly variableLimits: VariableLimits;
}

/**
 * Answers an operation with the variables that were given. Never rejects; errors are not masked yet. Without `data` it was not
 * run at all.
 * @param tellCost whether the estimate is told in `extensions.cost`.
 */
export async function answerOperation(
  operation: CompiledOperation,
  given: Readonly<Record<string, unknown>> | undefined,
  { fetch, checkCost, variableLimits }: ExecutionDeps,
  context: RequestContext,
  tellCost = false,
): Promise<ExecutionResult> {
  const variables = coerceVariables(operation, given, variableLimits);
  if (!variables.ok) return { errors: variables.errors };
  const { cost, errors } = checkCost(operation, variables.values);
  const result: ExecutionResult =
    errors.length > 0 ? { errors } : wholeOrShed(await runOperation(operation, variables.values, fetch, context));
  return tellCost ? { ...result, extensions: { ...result.extensions, cost } } : result;
}

/** Where every subgraph was too full to be asked, nothing was done, and the client is told when to come again. */
function wholeOrShed(result: ExecutionResult): ExecutionResult {
  const isShed =
    result.errors?.every(({ extensions }) => extensions['code'] === 'OVERLOADED') === true &&
    Object.values(result.data ?? {}).every((value) => value === null);
  if (!isShed) return result;
  const http = { status: 503, headers: new Map([['retry-after', String(shedRetryAfter)]]) };
  return { data: null, errors: [new CodedError('OVERLOADED', undefined, { retryAfter: shedRetryAfter, http })] };
}

/** Seconds: a queue is emptied within milliseconds, or its subgraph hangs. */
const shedRetryAfter = 1;

/**
 * Answers an operation whose deferred parts may come later. Undefined when nothing of it is deferred, or the viewer may not have
 * all of it: then it is answered in one piece, like every other operation.
 */
export async function answerInPieces(
  operation: CompiledOperation,
  given: Readonly<Record<string, unknown>> | undefined,
  { fetch, checkCost, variableLimits }: ExecutionDeps,
  { viewer, traceparent, forwarded, signal }: RequestContext,
): Promise<ExecutionResult | IncrementalExecution | undefined> {
  if (!operation.mayDefer) return undefined;
  const variables = coerceVariables(operation, given, variableLimits);
  if (!variables.ok) return { errors: variables.errors };
  let deferral: Deferral | undefined;
  try {
    deferral = operation.deferralFor(variables.values);
  } catch (error) {
    return brokenResult(error, []);
  }
  if (deferral === undefined || permit(operation, viewer).errors.length > 0) return undefined;
  const { errors } = checkCost(operation, variables.values);
  if (errors.length > 0) return { errors };
  const { supergraph, kind } = operation;
  const kept = kind === 'mutation' ? undefined : signal;
  const brought = { bytes: 0 };
  const context: FetchContext = { viewer, traceparent, forwarded, signal: kept, supergraph, brought };
  return executeIncrementally(operation, deferral, variables.values, fetch, context);
}

/** Runs an operation. Never rejects; errors are not masked yet. */
export async function runOperation(
  operation: CompiledOperation,
  variables: Readonly<Record<string, unknown>>,
  fetch: SubgraphFetch<FetchContext>,
  context: RequestContext,
): Promise<ExecutionResult> {
  if (operation.kind === 'subscription') {
    return { errors: [new CodedError('BAD_REQUEST', noStream(operation))] };
  }
  const { viewer, traceparent, forwarded, signal } = context;
  const permission = permit(operation, viewer);
  const { supergraph } = operation;
  const brought = { bytes: 0 };
  if (operation.kind === 'mutation') {
    // A mutation that may be run in part only is not run at all; one that runs is not cut short by a client that has gone.
    if (permission.errors.length > 0) return { data: null, errors: permission.errors };
    const untied: FetchContext = { viewer, traceparent, forwarded, signal: undefined, supergraph, brought };
    return executeOperation(operation, variables, fetch, untied);
  }
  const fetchContext: FetchContext = { viewer, traceparent, forwarded, signal, supergraph, brought, mayShare: true };
  if (permission.errors.length === 0) return executeOperation(operation, variables, fetch, fetchContext);
  return executeOperation(permittedPart(operation, permission), variables, fetch, fetchContext, permission.errors);
}

const noStream = ({ supergraph: { eventFields } }: CompiledOperation): string =>
  eventFields.size === 0
    ? 'No events come for the subscriptions of this graph.'
    : 'A subscription is answered over WebSocket, or to a request that accepts text/event-stream or multipart/mixed;subscriptionSpec=1.0.';

const permittedParts = new WeakMap<CompiledOperation, WeakMap<Permission, CompiledOperation>>();

/** Compiled once for each answer that authorisation gives. */
function permittedPart(operation: CompiledOperation, permission: Permission): CompiledOperation {
  let parts = permittedParts.get(operation);
  if (parts === undefined) {
    parts = new WeakMap();
    permittedParts.set(operation, parts);
  }
  let part = parts.get(permission);
  if (part === undefined) {
    part = restrictOperation(operation, permission.document);
    parts.set(permission, part);
  }
  return part;
}
