// Several GraphQL operations in one HTTP request, each with a token of its own: how the router asks for many viewers at once. Each is
// verified and executed for itself, with its own context; what they share are the rows that are loaded for them.
import type { ApolloServer, BaseContext } from '@apollo/server';
import type { FormattedExecutionResult } from 'graphql';
import { z } from 'zod';
import { CodedError } from './errors.ts';
import type { VerifyIdentity, Viewer } from './identity.ts';
import { inSpan, SpanKind } from './telemetry.ts';

/**
 * The media type of such a request and its answer: a JSON array of operations, and one of results in the same order. A subgraph that
 * takes it names it in the `accept-post` header of every answer.
 */
export const operationBatchType = 'application/vnd.baedal.operation-batch+json';
/** Operations of one request, at most. */
export const maxOperations = 500;

const operation = z.object({
  /** What the `authorization` header is to a single request. */
  authorization: z.string().optional(),
  traceparent: z.string().optional(),
  query: z.string(),
  operationName: z.string().optional(),
  variables: z.record(z.string(), z.unknown()).optional(),
});
const operationBatch = z.array(operation).min(1).max(maxOperations);

export type BatchedOperation = z.infer<typeof operation>;

export interface OperationBatchOptions<Context extends BaseContext> {
  readonly apollo: ApolloServer<Context>;
  readonly verify: VerifyIdentity;
  /** Called once a request; the function it gives makes the context of one operation. */
  readonly createContexts: () => (viewer: Viewer | undefined) => Context;
  readonly formatError: (error: unknown) => FormattedExecutionResult;
}

/**
 * Answers a batch. One operation that fails, its token included, fails alone.
 * @throws CodedError BAD_REQUEST, with the status to answer with, when the body is no batch.
 */
export async function answerOperationBatch<Context extends BaseContext>(
  body: unknown,
  { apollo, verify, createContexts, formatError }: OperationBatchOptions<Context>,
): Promise<readonly FormattedExecutionResult[]> {
  const { data: operations } = operationBatch.safeParse(body);
  if (operations === undefined) throw Object.assign(new CodedError('BAD_REQUEST'), { statusCode: 400 });
  const contextOf = createContexts();
  // All of them before the first is executed: then they run in step, and what they load is loaded together.
  const identified = await Promise.allSettled(operations.map(({ authorization }) => verify(authorization)));

  const answer = async (
    { query, operationName, variables, traceparent }: BatchedOperation,
    viewer: PromiseSettledResult<Viewer | undefined> | undefined,
  ): Promise<FormattedExecutionResult> => {
    if (viewer?.status !== 'fulfilled') return formatError(viewer?.reason);
    const response = await inSpan('graphql', { kind: SpanKind.SERVER, traceparent }, () =>
      apollo.executeOperation(
        {
          query,
          ...(operationName === undefined ? {} : { operationName }),
          ...(variables === undefined ? {} : { variables }),
        },
        { contextValue: contextOf(viewer.value) },
      ),
    );
    if (response.body.kind !== 'single') throw new Error('a subgraph answers at once');
    return response.body.singleResult;
  };
  return Promise.all(operations.map((each, index) => answer(each, identified[index])));
}
