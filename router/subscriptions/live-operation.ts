// What every protocol does before an operation runs: parse, validate, plan, authorise, coerce. One function, so that they cannot drift apart.
import type { GraphQLError } from 'graphql';
import { CodedError } from '../../service/errors.ts';
import type { Identity, Viewer } from '../../service/identity.ts';
import type { Logger } from '../../service/log.ts';
import { authorize } from '../auth.ts';
import type { CheckCost } from '../cost-limit.ts';
import type { ErrorMask } from '../errors.ts';
import type { ForwardHeaders } from '../forwarded-headers.ts';
import { coerceVariables } from '../variables.ts';
import type { VariableLimits } from '../variables.ts';
import type { SubgraphFetch } from '../executor/execute.ts';
import type { CompiledOperation } from '../executor/operation.ts';
import type { PrepareOperation } from '../operations.ts';
import type { PersistedOperations } from '../persisted-operations.ts';
import type { RateLimits } from '../rate-limits.ts';
import type { FetchContext } from '../subgraph-client.ts';
import type { Supergraph } from '../supergraph.ts';
import type { Admission } from '../traffic/admission.ts';
import type { ConnectionLimits } from './connection-limits.ts';
import type { LiveEngine } from './engine.ts';
import type { LiveMetrics } from './live-metrics.ts';

/** What the protocols are made of; the same for WebSocket, multipart and SSE. */
export interface LiveDeps {
  readonly engine: LiveEngine;
  /** The present supergraph. */
  readonly supergraph: () => Supergraph;
  readonly prepare: PrepareOperation;
  readonly checkCost: CheckCost;
  readonly variableLimits: VariableLimits;
  /** Room for queries and mutations over a socket; a subscription costs little but its start. */
  readonly admission: Admission;
  readonly rates: RateLimits;
  readonly persisted: PersistedOperations;
  /** Picks the headers that go on to subgraphs. */
  readonly forward: ForwardHeaders;
  readonly identity: Identity;
  /** For queries and mutations over a socket. */
  readonly fetch: SubgraphFetch<FetchContext>;
  readonly maskError: ErrorMask;
  readonly log: Logger;
  readonly metrics: LiveMetrics;
  readonly limits?: Partial<ConnectionLimits>;
}

/** The parameters of a request, as they came. */
export interface OperationParams {
  readonly query: string;
  readonly operationName?: string | undefined;
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
}

export type Admitted =
  | { readonly ok: true; readonly operation: CompiledOperation; readonly variables: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly errors: readonly GraphQLError[] };

/** Whether a viewer may run this, and what exactly. Subscriptions fail closed: one field that is not allowed refuses them. */
export function admit(deps: LiveDeps, params: OperationParams, viewer: Viewer | undefined): Admitted {
  if (typeof params.query !== 'string') return { ok: false, errors: [new CodedError('BAD_REQUEST')] };
  const prepared = deps.prepare(deps.supergraph(), params.query, params.operationName);
  if (!prepared.ok) return prepared;
  const { operation } = prepared;
  if (operation.kind === 'subscription') {
    const errors = authorize(operation, viewer);
    if (errors.length > 0) return { ok: false, errors };
  }
  const variables = coerceVariables(operation, params.variables, deps.variableLimits);
  if (!variables.ok) return variables;
  const { errors } = deps.checkCost(operation, variables.values);
  if (errors.length > 0) return { ok: false, errors };
  return { ok: true, operation, variables: variables.values };
}
