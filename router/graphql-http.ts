// What passes between the HTTP server and whoever answers GraphQL: a request, its answer, and what is known of it afterwards.
import type { ExecutionResult } from 'graphql';
import type { Viewer } from '../service/identity.ts';
import type { CompiledOperation } from './executor/operation.ts';
import type { Prepared } from './operations.ts';
import type { RequestContext } from './subgraph-client.ts';

/** A request as it came over HTTP. */
export interface GraphqlHttpRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The query string, with or without `?`. */
  readonly search: string;
  /** Parsed JSON; undefined when there was none. */
  readonly body: unknown;
}

/** What is known of an operation when it has been answered. */
export interface OperationSummary {
  /** Undefined: the request did not come so far that there was one. */
  readonly operation: CompiledOperation | undefined;
  /** Codes of the errors of the answer. */
  readonly codes: readonly string[];
}

/** Told of each operation that was answered, or of a subscription that has begun: counts it, and writes the line of log. */
export type ReportOperation = (summary: OperationSummary, milliseconds: number) => void;

/** What a request brings besides its text. */
export interface GraphqlRequestContext extends Omit<RequestContext, 'viewer'> {
  /** Says who asks; a rejection becomes the answer. Called after the CSRF check. */
  readonly identify: () => Promise<Viewer | undefined>;
  /** Told what the operation was, when the request came so far. */
  readonly onAnswered: (summary: OperationSummary) => void;
}

/** How far a request came before it was handed on: nothing is done twice. */
export interface Progress {
  readonly prepared?: Prepared;
  /** Set when the operation has been run, or refused when it was about to be. */
  readonly result?: ExecutionResult;
}

/** The answer of one request. */
export interface GraphqlHttpResponse {
  /** Absent: 200. */
  readonly status?: number;
  readonly headers: Iterable<readonly [string, string]>;
  readonly body:
    | { readonly kind: 'complete'; readonly string: string }
    | { readonly kind: 'chunked'; readonly asyncIterator: AsyncIterable<string> };
}

/** Answers one request. Never rejects. */
export type AnswerGraphql = (
  request: GraphqlHttpRequest,
  context: GraphqlRequestContext,
) => Promise<GraphqlHttpResponse>;

/** Whether a request asks what its operation is estimated to cost: the header `graphql-cost: report`. */
export const wantsCost = ({ headers }: GraphqlHttpRequest): boolean => headers['graphql-cost'] === 'report';

/** Whether a client with this `accept` header takes an ordinary answer. */
export function acceptsJson(accept: string | undefined): boolean {
  if (accept === undefined || accept === '') return true;
  return accept.split(',').some((type) => ordinary.test(type) && !refused.test(type));
}

const ordinary = /^\s*(application\/(graphql-response\+json|json|\*)|\*\/\*)\s*(;|$)/i;
const refused = /;\s*q=0(\.0*)?\s*(;|$)/i;
