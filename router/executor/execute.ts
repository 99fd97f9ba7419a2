// Runs a compiled operation: asks the subgraphs as its plan says and shapes their answers into the client's response.
import type { ExecutionResult } from 'graphql';
import type { CompiledOperation } from './operation.ts';

/** One request to one subgraph. */
export interface SubgraphRequest {
  readonly subgraph: string;
  readonly query: string;
  readonly operationName: string | undefined;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly kind: 'query' | 'mutation';
}

/** An error as a subgraph sends it. */
export interface SubgraphError {
  readonly message: string;
  readonly path?: ReadonlyArray<string | number>;
  readonly extensions?: Readonly<Record<string, unknown>>;
}

/** What a subgraph answers. */
export interface SubgraphResponse {
  readonly data?: Record<string, unknown> | null;
  readonly errors?: readonly SubgraphError[];
  readonly extensions?: Readonly<Record<string, unknown>>;
}

/** Asks a subgraph. Rejects with CodedError when it cannot be reached. The answer belongs to the executor, which may change it. */
export type SubgraphFetch<Context> = (request: SubgraphRequest, context: Context) => Promise<SubgraphResponse>;

/** Executes a query or a mutation; `variables` are already coerced. Never rejects: what fails is told in `errors`. */
export function executeOperation<Context>(
  _operation: CompiledOperation,
  _variables: Readonly<Record<string, unknown>>,
  _fetch: SubgraphFetch<Context>,
  _context: Context,
): Promise<ExecutionResult> {
  throw new Error('not implemented yet');
}

/**
 * Completes one event of a subscription. `event` answers the plan's primary fetch, as `{ <response key of the root field>: payload }`
 * with the plain payload (field names, not aliases); it is only read. Never rejects.
 */
export function executeEvent<Context>(
  _operation: CompiledOperation,
  _variables: Readonly<Record<string, unknown>>,
  _event: Readonly<Record<string, unknown>>,
  _fetch: SubgraphFetch<Context>,
  _context: Context,
): Promise<ExecutionResult> {
  throw new Error('not implemented yet');
}

/** Whether completing an event of this subscription (or answering this query) asks any subgraph. */
export function needsFetch(_operation: CompiledOperation): boolean {
  throw new Error('not implemented yet');
}
