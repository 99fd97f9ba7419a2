// The two lanes of GraphQL over HTTP. What nearly every client sends nearly always, a JSON body with an operation that runs, is
// answered here directly; everything else goes through Apollo Server, and so does every refusal. The rules are the same functions
// in both lanes (prepare, identify, answer, mask), and what one lane has done the other does not do again.
import type { ExecutionResult, GraphQLFormattedError } from 'graphql';
import type { Viewer } from '../service/identity.ts';
import { codesOf } from './errors.ts';
import type { ErrorMask } from './errors.ts';
import { answerInPieces, answerOperation } from './execution.ts';
import type { ExecutionDeps } from './execution.ts';
import { acceptsJson, wantsCost } from './graphql-http.ts';
import type {
  AnswerGraphql,
  GraphqlHttpRequest,
  GraphqlHttpResponse,
  GraphqlRequestContext,
  Progress,
} from './graphql-http.ts';
import type { GraphqlServer } from './graphql-server.ts';
import { incrementalBody, incrementalHeaders, incrementalProtocolOf } from './incremental.ts';
import { createLruCache } from './lru.ts';
import type { PrepareOperation } from './operations.ts';

export interface LanesOptions {
  readonly apollo: Pick<GraphqlServer, 'answer' | 'supergraph'>;
  readonly prepare: PrepareOperation;
  readonly execution: ExecutionDeps;
  readonly mask: ErrorMask;
}

/** The parameters of a request that may take the direct lane. */
interface DirectParams {
  readonly query: string;
  readonly operationName: string | undefined;
  readonly variables: Readonly<Record<string, unknown>> | undefined;
}

type Headers = readonly (readonly [string, string])[];

/** So many `accept` headers are remembered, and none longer than this. */
const maxAccepts = 100;
const maxAcceptLength = 300;

export function createGraphqlLanes({ apollo, prepare, execution, mask }: LanesOptions): AnswerGraphql {
  // Negotiation stays in one place: what Apollo Server chose for an `accept` header once is what the direct lane answers with.
  const headersByAccept = createLruCache<Headers>({ maxEntries: maxAccepts });

  const handOn = (
    request: GraphqlHttpRequest,
    context: GraphqlRequestContext,
    identified: Promise<Viewer | undefined>,
    progress: Progress,
  ): Promise<GraphqlHttpResponse> => apollo.answer(request, { ...context, identify: () => identified }, progress);
  const learn = async (
    accept: string,
    progress: Progress,
    answered: Promise<GraphqlHttpResponse>,
  ): Promise<GraphqlHttpResponse> => {
    const response = await answered;
    const isUsual = isObject(progress.result?.data) && response.body.kind === 'complete';
    if (isUsual && (response.status ?? 200) === 200 && accept.length <= maxAcceptLength) {
      headersByAccept.set(accept, [...response.headers]);
    }
    return response;
  };

  return async (request, context) => {
    const params = directParams(request);
    if (params === undefined) return apollo.answer(request, context, {});
    const identified = context.identify();
    const accept = singleHeader(request, 'accept') ?? '';

    let viewer;
    try {
      viewer = await identified;
    } catch {
      return handOn(request, context, identified, {});
    }
    const prepared = prepare(apollo.supergraph(), params.query, params.operationName);
    if (!prepared.ok) return handOn(request, context, identified, { prepared });
    const { operation } = prepared;
    const { traceparent, forwarded, signal } = context;
    const running = { viewer, traceparent, forwarded, signal };
    let result: ExecutionResult | undefined;
    const protocol = operation.mayDefer && !wantsCost(request) ? incrementalProtocolOf(accept) : undefined;
    const headers = headersByAccept.get(accept);
    if (headers === undefined && protocol === undefined && !acceptsJson(accept)) {
      return handOn(request, context, identified, { prepared });
    }
    if (protocol !== undefined) {
      const answer = await answerInPieces(operation, params.variables, execution, running);
      if (answer !== undefined && 'rest' in answer) {
        const body = incrementalBody(answer, protocol, mask, (codes) => context.onAnswered({ operation, codes }));
        return { headers: incrementalHeaders(protocol), body: { kind: 'chunked', asyncIterator: body } };
      }
      result = answer;
    }
    result ??= await answerOperation(operation, params.variables, execution, running, wantsCost(request));
    // Without data nothing was run, which has a status of its own; so may an error.
    const isOrdinary = isObject(result.data) && !result.errors?.some(({ extensions }) => 'http' in extensions);
    if (headers === undefined || !isOrdinary) {
      const progress = { prepared, result };
      return learn(accept, progress, handOn(request, context, identified, progress));
    }
    const errors = result.errors?.map(mask);
    context.onAnswered({ operation, codes: codesOf(errors) });
    return { status: 200, headers, body: { kind: 'complete', string: textOf(errors, result) } };
  };
}

/** Undefined: the request has something that only Apollo Server knows how to take, or to refuse. */
function directParams(request: GraphqlHttpRequest): DirectParams | undefined {
  const { method, body } = request;
  if (method !== 'POST' || !isObject(body) || !isPlainJson(request)) return undefined;
  const { query, operationName, variables, extensions } = body;
  if (typeof query !== 'string' || query === '' || (extensions ?? null) !== null) return undefined;
  const name = operationName ?? undefined;
  if (name !== undefined && (typeof name !== 'string' || name === '')) return undefined;
  const given = variables ?? undefined;
  if (given !== undefined && !isObject(given)) return undefined;
  return { query, operationName: name, variables: given };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A content type that no web page can send without a preflight, and about whose charset there is no question. */
function isPlainJson(request: GraphqlHttpRequest): boolean {
  const type = singleHeader(request, 'content-type');
  return type === 'application/json' || (type !== undefined && /^application\/json; ?charset=utf-8$/i.test(type));
}

function singleHeader({ headers }: GraphqlHttpRequest, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
}

/** Members in Apollo Server's order, so that both lanes answer the same bytes. */
function textOf(errors: readonly GraphQLFormattedError[] | undefined, { data, extensions }: ExecutionResult): string {
  return `${JSON.stringify({ errors, data, extensions })}\n`;
}
