// What every protocol does with an operation: parse, validate, plan, authorise, coerce, run, report. One function, so that they cannot
// drift apart.
import type { ExecutionResult, GraphQLError, GraphQLFormattedError } from 'graphql';
import type { IncomingMessage } from 'node:http';
import { CodedError, codeOf } from '../../service/errors.ts';
import type { Identity, Viewer } from '../../service/identity.ts';
import type { Logger } from '../../service/log.ts';
import { authorize } from '../auth.ts';
import { Cancellation } from '../cancellation.ts';
import type { CheckCost } from '../cost-limit.ts';
import { codesOf } from '../errors.ts';
import type { ErrorMask } from '../errors.ts';
import { runOperation } from '../execution.ts';
import type { ForwardHeaders } from '../forwarded-headers.ts';
import type { ReportOperation } from '../graphql-http.ts';
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
import type { Sink } from './subscriber.ts';

/** What the protocols are made of; the same for WebSocket, multipart and SSE. */
export interface LiveDeps {
  readonly engine: Pick<LiveEngine, 'subscribe'>;
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
  /** Whether a page elsewhere may have made its visitor's browser open this socket, with what it knows the visitor by. */
  readonly isForeign: (request: Pick<IncomingMessage, 'headers'>) => boolean;
  readonly report: ReportOperation;
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

/** One operation as its protocol sees it. */
export interface Started {
  /** Where its results go. */
  readonly sink: Sink;
  /** What is asked. @throws CodedError when nothing may be asked now */
  readonly params: () => OperationParams;
  /** Runs a query or mutation where there is room for it. @throws CodedError OVERLOADED */
  readonly inRoom: (run: () => Promise<ExecutionResult>) => Promise<ExecutionResult>;
  /** Gives the one result of a query or mutation. */
  readonly answer: (result: object) => void;
  /** It could not be started. */
  readonly refuse: (errors: readonly GraphQLFormattedError[]) => void;
}

/** Answers a query or mutation, or opens a subscription; what it was is reported when that is done. */
export async function startOperation({ sink, params, inRoom, answer, refuse }: Started, deps: LiveDeps): Promise<void> {
  const { maskError, fetch, engine, log } = deps;
  const started = performance.now();
  let operation: CompiledOperation | undefined;
  let errors: readonly GraphQLFormattedError[] | undefined;
  try {
    const { viewer, forwarded } = sink;
    const admitted = admit(deps, params(), viewer);
    operation = admitted.operation;
    if (!admitted.ok) {
      errors = admitted.errors.map(maskError);
      refuse(errors);
    } else if (admitted.operation.kind === 'subscription') {
      await engine.subscribe({ ...admitted, sink });
    } else {
      const { operation: running, variables } = admitted;
      // Who leaves a query ends its fetches: what was asked and left again at once would take the room of the others.
      const signal = new Cancellation();
      sink.opened({ leave: () => signal.abort(), resume: () => undefined, identify: () => undefined });
      const result = await inRoom(() => runOperation(running, variables, fetch, { viewer, forwarded, signal }));
      // What broke off because of that is told to nobody, and is no failure.
      if (!signal.aborted) {
        const { errors: raised, ...rest } = result;
        errors = raised?.map(maskError);
        answer(errors === undefined ? rest : { errors, ...rest });
      }
    }
  } catch (error) {
    if (codeOf(error) === 'INTERNAL_SERVER_ERROR') {
      log.error({ error, operation: operation?.name }, 'an operation could not be started');
    }
    errors = [maskError(error)];
    refuse(errors);
  }
  deps.report({ operation, codes: codesOf(errors) }, performance.now() - started);
}

type Admitted =
  | { readonly ok: true; readonly operation: CompiledOperation; readonly variables: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly operation?: CompiledOperation; readonly errors: readonly GraphQLError[] };

/** Whether a viewer may run this, and what exactly. Subscriptions fail closed: one field that is not allowed refuses them. */
function admit(deps: LiveDeps, params: OperationParams, viewer: Viewer | undefined): Admitted {
  if (typeof params.query !== 'string') return { ok: false, errors: [new CodedError('BAD_REQUEST')] };
  const prepared = deps.prepare(deps.supergraph(), params.query, params.operationName);
  if (!prepared.ok) return prepared;
  const { operation } = prepared;
  if (operation.kind === 'subscription') {
    const errors = authorize(operation, viewer);
    if (errors.length > 0) return { ok: false, operation, errors };
  }
  const variables = coerceVariables(operation, params.variables, deps.variableLimits);
  if (!variables.ok) return { ok: false, operation, errors: variables.errors };
  const { errors } = deps.checkCost(operation, variables.values);
  if (errors.length > 0) return { ok: false, operation, errors };
  return { ok: true, operation, variables: variables.values };
}
