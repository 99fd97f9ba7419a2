// Runs a compiled operation: asks the subgraphs as its plan says and shapes their answers into the client's response.
import type { ExecutionResult, GraphQLError } from 'graphql';
import type { DataObject } from './data.ts';
import { errorsOf } from './failures.ts';
import type { CompiledOperation } from './operation.ts';
import { createJoiner } from './join.ts';
import { inputKeysOf } from './keys.ts';
import { textOfRejection, toGraphQLError, type Run } from './run.ts';
import type { CompiledPlan } from './plan.ts';
import type { Shaper, Variant } from './variants.ts';

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

/**
 * Executes a query or a mutation; `variables` are already coerced. Never rejects: what fails is told in `errors`.
 * @param known errors that were told before, such as those of refused fields. They come first, and explain nulls.
 */
export function executeOperation<Context>(
  operation: CompiledOperation,
  variables: Readonly<Record<string, unknown>>,
  fetch: SubgraphFetch<Context>,
  context: Context,
  known: readonly GraphQLError[] = [],
): Promise<ExecutionResult> {
  try {
    const variant = operation.variantFor(variables);
    return execute(operation, variant, newRun(variant.plan, {}, variables, fetch, context), known);
  } catch (error) {
    return Promise.resolve(brokenResult(error, known));
  }
}

/**
 * Completes one event of a subscription; `variables` are already coerced. Asks nothing when the event covers the
 * selection. Never rejects.
 * @param event `{ <response key of the root field>: payload }` with the plain payload (field names, not aliases). It is
 * only read: many executions may share it.
 * @param known as of `executeOperation`.
 */
export function executeEvent<Context>(
  operation: CompiledOperation,
  variables: Readonly<Record<string, unknown>>,
  event: Readonly<Record<string, unknown>>,
  fetch: SubgraphFetch<Context>,
  context: Context,
  known: readonly GraphQLError[] = [],
): Promise<ExecutionResult> {
  try {
    const [payload = null] = Object.values(event);
    const variant = operation.variantFor(variables);
    const { answer, step } = variant.plan;
    if (step) {
      return execute(
        operation,
        variant,
        newRun(variant.plan, answer?.(payload) ?? {}, variables, fetch, context),
        known,
      );
    }
    // What the event covers is shaped from the payload as it is, without a copy in between.
    const data = operation.rootField === undefined ? {} : { [operation.rootField]: payload };
    const run = newRun(variant.plan, data, variables, fetch, context);
    return Promise.resolve(respond(operation, variant.eventShaper, run, known));
  } catch (error) {
    return Promise.resolve(brokenResult(error, known));
  }
}

/**
 * Whether answering this query or mutation, or completing an event of this subscription, asks any subgraph. Without
 * variables: whether it may.
 */
export function needsFetch(operation: CompiledOperation, variables?: Readonly<Record<string, unknown>>): boolean {
  if (!variables && operation.isConditional) return true;
  return operation.variantFor(variables ?? {}).plan.step !== undefined;
}

function execute<Context>(
  operation: CompiledOperation,
  { plan: { step }, shaper }: Variant,
  run: Run<Context>,
  known: readonly GraphQLError[],
): Promise<ExecutionResult> {
  const pending = step?.(run);
  if (!pending) return Promise.resolve(respond(operation, shaper, run, known));
  return pending
    .then(() => respond(operation, shaper, run, known))
    .catch((error: unknown) => brokenResult(error, known));
}

/** The response of what a run has brought. */
export function respond<Context>(
  { supergraph }: CompiledOperation,
  shaper: Shaper,
  run: Run<Context>,
  known: readonly GraphQLError[],
): ExecutionResult {
  if (run.errors.length === 0 && run.failures.length === 0) {
    const data = shaper.quickly(run.data);
    if (data) return known.length > 0 ? { errors: known, data } : { data };
  }
  const shaped = shaper.exactly(run.data, run.variables);
  const errors = errorsOf(run, shaped, known, (key) => inputKeysOf(supergraph).all.has(key));
  return errors.length > 0 ? { errors, data: shaped.data } : { data: shaped.data };
}

/** Our own fault, or data that nobody thought of: told as an error like any other. */
export function brokenResult(error: unknown, known: readonly GraphQLError[]): ExecutionResult {
  return { errors: [...known, toGraphQLError(textOfRejection(error), undefined)], data: null };
}

/** The state of an execution that begins. */
export function newRun<Context>(
  plan: CompiledPlan,
  data: DataObject,
  variables: Readonly<Record<string, unknown>>,
  fetch: SubgraphFetch<Context>,
  context: Context,
): Run<Context> {
  const joiner = plan.joinTexts && createJoiner(fetch, context, plan.joinTexts);
  return { data, variables, fetch, context, errors: [], failures: [], joiner, isHalted: false };
}
