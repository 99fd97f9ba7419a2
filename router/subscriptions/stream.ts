// Subscriptions over HTTP responses that go on: multipart for Apollo Client and Sandbox, Server-Sent Events for EventSource and curl.
import { GraphQLError } from 'graphql';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { errorTable, CodedError, codeOf } from '../../service/errors.ts';
import type { ErrorCode } from '../../service/errors.ts';
import type { Viewer } from '../../service/identity.ts';
import { acceptsJson } from '../graphql-http.ts';
import type { ClientHost } from './client-host.ts';
import { startOperation } from './live-operation.ts';
import type { OperationParams } from './live-operation.ts';
import { Payload } from './payload.ts';
import { serverSentEvents } from './stream-format.ts';
import type { StreamFormat } from './stream-format.ts';
import { StreamSink } from './stream-sink.ts';

/**
 * Answers a GraphQL request as a stream, if that is what it asks for: a subscription, and over SSE any operation of a client that
 * takes nothing else.
 * @param format what its `accept` header names.
 * @param params the parameters as they came, from the body or the query string; undefined when there are none.
 * @returns whether the request was answered (or is being answered) here.
 */
export async function answerAsStream(
  request: IncomingMessage,
  response: ServerResponse,
  format: StreamFormat,
  params: Readonly<Record<string, unknown>> | undefined,
  host: ClientHost,
): Promise<boolean> {
  const wanted = operationParams(params);
  if (wanted === undefined) return false;
  const prepared = host.prepare(host.supergraph(), wanted.query, wanted.operationName);
  const operation = prepared.ok ? prepared.operation : undefined;
  const kind = operation?.kind;
  // urql names streams behind JSON in every request, for whatever may come.
  const takesStreamsOnly = format === serverSentEvents && !acceptsJson(request.headers.accept);
  if (kind !== 'subscription' && !takesStreamsOnly) return false;
  if (kind === 'mutation' && request.method !== 'POST') return false;

  const came = performance.now();
  let viewer: Viewer | undefined;
  try {
    viewer = await host.identity.verify(request.headers.authorization);
    host.rates.takeFromViewer(viewer?.sub);
    takePlace(viewer, host);
  } catch (error) {
    const code = refuse(response, error, host);
    host.report({ operation, codes: [code] }, performance.now() - came);
    return true;
  }
  const sink = new StreamSink(response, format, { viewer, forwarded: host.forward(request.headers) }, host);
  await startOperation(
    {
      sink,
      params: () => wanted,
      // The request has its room already.
      inRoom: (run) => run(),
      answer: (result) => answer(sink, result),
      refuse: (errors) => answer(sink, { errors }),
    },
    host,
  );
  return true;
}

function answer(sink: StreamSink, result: object): void {
  sink.send(new Payload(result));
  sink.end(undefined);
}

/** @throws CodedError CONNECTION_LIMIT, SUBSCRIPTION_LIMIT, SHUTTING_DOWN, OVERLOADED */
function takePlace(viewer: Viewer | undefined, host: ClientHost): void {
  host.checkRoom();
  host.viewerConnections.take(viewer?.sub);
  try {
    host.viewerSubscriptions.take(viewer?.sub);
  } catch (error) {
    host.viewerConnections.giveBack(viewer?.sub);
    throw error;
  }
}

/** A request that may not begin at all: an ordinary response with a status. Gives its code. */
function refuse(response: ServerResponse, error: unknown, host: ClientHost): ErrorCode {
  const code = codeOf(error);
  if (code === 'SERVICE_UNAVAILABLE') host.log.error({ error }, 'a token could not be checked');
  const tooMany = code === 'RATE_LIMITED' || code.endsWith('_LIMIT');
  const status = code === 'UNAUTHENTICATED' ? 401 : tooMany ? 429 : errorTable[code].retry ? 503 : 400;
  const told = error instanceof GraphQLError ? error : new CodedError(code, undefined, {}, error);
  const body = JSON.stringify({ errors: [host.maskError(told)] });
  const { retryAfter } = told.extensions;
  if (typeof retryAfter === 'number') response.setHeader('retry-after', retryAfter);
  if (status === 401) response.setHeader('www-authenticate', 'Bearer');
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' });
  response.end(body);
  return code;
}

function operationParams(params: Readonly<Record<string, unknown>> | undefined): OperationParams | undefined {
  const { query, operationName, variables } = params ?? {};
  if (typeof query !== 'string') return undefined;
  const given = typeof variables === 'string' ? parseObject(variables) : variables;
  return {
    query,
    operationName: typeof operationName === 'string' ? operationName : undefined,
    variables: typeof given === 'object' && given !== null ? (given as Record<string, unknown>) : undefined,
  };
}

/** Variables of a query string are JSON; what is none counts as absent, and is then refused by its types. */
function parseObject(json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return undefined;
  }
}
