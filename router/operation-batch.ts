// Questions of several viewers as one request, for a subgraph that takes that (see service/operation-batch.ts): its body, its answer.
import type { SubgraphRequest, SubgraphResponse } from './executor/execute.ts';
import type { FetchContext } from './subgraph-client.ts';

/** One of the questions that go together. */
export interface Asked {
  readonly request: SubgraphRequest;
  readonly context: FetchContext;
}

/** Below the least that a subgraph may be set to take: 1 MiB by default. */
const maxBodyLength = 500_000;
/** Well below what a subgraph takes, so that no request holds it up for long. */
const maxQuestions = 250;

/** Some questions, and the body that asks them. */
export interface OperationBatch {
  readonly asked: readonly [Asked, ...Asked[]];
  readonly body: string;
}

/** Questions in as few bodies as their limits allow, in order. The headers that go on are those of the whole request. */
export function toOperationBatches(asked: readonly Asked[]): readonly OperationBatch[] {
  const batches: OperationBatch[] = [];
  let texts: string[] = [];
  let length = 0;
  const close = (end: number): void => {
    const [first, ...others] = asked.slice(end - texts.length, end);
    if (first === undefined) return;
    batches.push({ asked: [first, ...others], body: `[${texts.join(',')}]` });
    texts = [];
    length = 0;
  };
  for (const [index, { request, context }] of asked.entries()) {
    const { query, operationName, variables } = request;
    const { viewer, traceparent } = context;
    const authorization = viewer && `Bearer ${viewer.token}`;
    const text = JSON.stringify({ authorization, traceparent, query, operationName, variables });
    const isApart = context.forwarded?.key !== asked[index - 1]?.context.forwarded?.key;
    if (isApart || texts.length === maxQuestions || length + text.length > maxBodyLength) close(index);
    texts.push(text);
    length += text.length;
  }
  close(asked.length);
  return batches;
}

/** The answers of a batch by their place; undefined where there is none. */
export function readOperationBatch(text: string): readonly (SubgraphResponse | undefined)[] {
  let answers: unknown;
  try {
    answers = JSON.parse(text);
  } catch {
    return [];
  }
  return Array.isArray(answers) ? answers.map((each) => (isResponse(each) ? each : undefined)) : [];
}

/** Whether a value is a GraphQL response: with data, or with errors. */
export function isResponse(value: unknown): value is SubgraphResponse {
  if (typeof value !== 'object' || value === null) return false;
  const { data, errors } = value as SubgraphResponse;
  return (data !== undefined && typeof data === 'object') || (Array.isArray(errors) && errors.length > 0);
}
