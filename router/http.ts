// The one file that knows node:http: routes, bodies, CORS, time limits and the drain. Everything about GraphQL is elsewhere.
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connectionsGone } from '../service/drain.ts';
import { CodedError, errorTable } from '../service/errors.ts';
import type { ErrorCode } from '../service/errors.ts';
import type { VerifyIdentity } from '../service/identity.ts';
import type { Logger } from '../service/log.ts';
import { currentTraceparent, inSpan, SpanKind } from '../service/telemetry.ts';
import { spanAttributes } from './access-log.ts';
import type { AccessLog } from './access-log.ts';
import { checkBatch, joinAnswers } from './batch.ts';
import { compressed, isWorthIt } from './compression.ts';
import { corsHeaders } from './cors.ts';
import { isCrossSite } from './csrf.ts';
import type { AnswerGraphql, GraphqlHttpResponse } from './graphql-http.ts';
import { asked, discard, headerOf, isJson, readBody } from './http-body.ts';
import type { Asked } from './http-body.ts';
import type { RouterMetrics } from './metrics.ts';
import type { Page, Pages } from './pages.ts';
import { endingWith, sendPieces } from './pieces.ts';
import type { Admission } from './traffic/admission.ts';
import type { PersistedOperations } from './persisted-operations.ts';
import type { RateLimits } from './rate-limits.ts';

export interface HttpServerOptions {
  /** Decides whether there is room for one more GraphQL request. */
  readonly admission: Admission;
  readonly answer: AnswerGraphql;
  readonly verify: VerifyIdentity;
  readonly rates: RateLimits;
  /** Undefined: no pages for browsers. */
  readonly pages: Pages | undefined;
  readonly metrics: RouterMetrics;
  /** Answers requests that ask for a stream of results, and says whether it did. Gives undefined when nothing is streamed. */
  readonly stream: (
    request: IncomingMessage,
    response: ServerResponse,
    params: Record<string, unknown> | undefined,
  ) => Promise<boolean> | undefined;
  /** What readiness tells besides. */
  readonly details: () => Readonly<Record<string, string>>;
  /** Origins of web pages that may call from elsewhere; `*` for all. Empty: only pages of this server. */
  readonly corsOrigins: ReadonlySet<string>;
  readonly bodyLimitBytes: number;
  /** Milliseconds that a client may take to send its whole request. */
  readonly receiveTimeoutMs: number;
  /** Operations in one request, at most; 0: a list is refused. */
  readonly batchLimit: number;
  readonly compression: boolean;
  readonly persisted: PersistedOperations;
  /** Milliseconds after which a query is answered with what is there. */
  readonly requestTimeoutMs: number;
  /** Milliseconds for which kept connections may end by themselves when the server goes. */
  readonly drainMs: number;
  /** Told of each operation that was answered. */
  readonly accessLog: AccessLog;
  readonly log: Logger;
}

export interface HttpServer {
  /** For those who take upgrades. */
  readonly server: Server;
  /** Starts listening and gives the origin, `http://127.0.0.1:4000`. Rejects when the port is taken. */
  listen(host: string, port: number): Promise<string>;
  /** Says on `/health/ready` that this process is going, while everything is still served. */
  announceDrain(): void;
  /** Closes each connection behind its next answer, then, when `drainMs` are over, those that are idle; answers what was asked. */
  close(): Promise<void>;
}

export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { admission, pages, metrics, rates, log } = options;
  const unanswered = new Set<ServerResponse>();
  let draining = false;

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    unanswered.add(response);
    response.once('close', () => unanswered.delete(response));
    if (draining) response.setHeader('connection', 'close');
    const { pathname, search } = targetOf(request);
    switch (pathname) {
      case '/graphql':
        return takeOn(request, response, search);
      case '/health/live':
        return sendJson(response, 200, { status: 'live' });
      case '/health':
      case '/health/ready':
        return sendJson(response, draining ? 503 : 200, {
          status: draining ? 'draining' : 'ready',
          checks: { ...options.details() },
        });
      case '/metrics':
        return send(response, 200, [['content-type', metrics.registry.contentType]], await metrics.registry.metrics());
      default: {
        const page = request.method === 'GET' ? pages?.at(pathname) : undefined;
        if (page === undefined) return refuse(response, 404, 'NOT_FOUND', 'There is nothing at this address.');
        return sendPage(response, page);
      }
    }
  };

  /** A request that is not taken on costs next to nothing: its body is not even read. */
  const takeOn = async (request: IncomingMessage, response: ServerResponse, search: string): Promise<void> => {
    for (const [name, value] of corsHeaders(request, options.corsOrigins)) response.setHeader(name, value);
    if (admission.enter() !== undefined) {
      response.setHeader('retry-after', '1');
      return refuse(response, 503, 'OVERLOADED');
    }
    try {
      await answerGraphql(request, response, search);
    } finally {
      admission.leave();
    }
  };

  const answerGraphql = async (request: IncomingMessage, response: ServerResponse, search: string): Promise<void> => {
    if (request.method === 'OPTIONS') {
      response.writeHead(204).end();
      return;
    }
    if (pages !== undefined && request.method === 'GET' && search === '' && wantsHtml(request)) {
      return sendPage(response, pages.sandbox());
    }
    if (isCrossSite(request, options.corsOrigins)) return refuse(response, 403, 'CROSS_SITE_REQUEST');
    try {
      rates.takeFromAddress(rates.addressOf(request));
    } catch (error) {
      discard(request);
      return refuseError(response, error);
    }
    let body: unknown;
    if (request.method === 'POST') {
      if (!isJson(request)) {
        discard(request);
        return refuse(response, 415, 'UNSUPPORTED_MEDIA_TYPE');
      }
      const bytes = await readBody(request, options.bodyLimitBytes);
      if (bytes === undefined) {
        discard(request);
        response.setHeader('connection', 'close');
        return refuse(response, 413, 'PAYLOAD_TOO_LARGE');
      }
      try {
        body = JSON.parse(bytes.toString('utf8'));
      } catch {
        return refuse(response, 400, 'BAD_REQUEST', 'The body is no valid JSON.');
      }
    }
    if (Array.isArray(body)) return answerBatch(request, response, search, body);
    let one: Asked;
    try {
      one = asked(body, search, options.persisted);
    } catch (error) {
      return refuseError(response, error);
    }
    const streamed = options.stream(request, response, one.params);
    if (streamed !== undefined && (await streamed)) return;
    return sendAnswer(request, response, await answerOne(request, response, one));
  };

  const answerBatch = async (
    request: IncomingMessage,
    response: ServerResponse,
    search: string,
    items: readonly unknown[],
  ): Promise<void> => {
    try {
      checkBatch(items, options.batchLimit);
      rates.takeFromAddress(rates.addressOf(request), items.length - 1);
    } catch (error) {
      return refuseError(response, error);
    }
    // An answer in pieces has no place in a list.
    const headers = { ...request.headers, accept: 'application/json' };
    const answers = items.map(async (item) =>
      answerOne(request, response, asked(item, search, options.persisted), headers),
    );
    return sendAnswer(request, response, await joinAnswers(answers));
  };

  const answerOne = (
    request: IncomingMessage,
    response: ServerResponse,
    { body, search }: Asked,
    headers = request.headers,
  ): Promise<GraphqlHttpResponse> => {
    const traceparent = headerOf(request, 'traceparent');
    return inSpan('graphql', { kind: SpanKind.SERVER, traceparent }, async (span) => {
      const started = performance.now();
      const { signal, release } = deadline(response, options.requestTimeoutMs);
      const answer = await options.answer(
        { method: request.method ?? 'GET', headers, search, body },
        {
          identify: async () => {
            const viewer = await options.verify(headerOf(request, 'authorization'));
            rates.takeFromViewer(viewer?.sub);
            return viewer;
          },
          traceparent: currentTraceparent() ?? traceparent,
          signal,
          onAnswered(summary) {
            const { operation, codes } = summary;
            const milliseconds = performance.now() - started;
            const kind = operation?.kind ?? 'unknown';
            metrics.operation({ kind, name: operation?.name, outcome: codes[0] ?? 'ok' }, milliseconds / 1000);
            options.accessLog(summary, milliseconds);
            if (span.isRecording()) span.setAttributes(spanAttributes(summary));
          },
        },
      );
      const answeredInPieces = answer.body.kind === 'chunked' ? answer.body.asyncIterator : undefined;
      if (answeredInPieces === undefined) {
        release();
        return answer;
      }
      return { ...answer, body: { kind: 'chunked', asyncIterator: endingWith(answeredInPieces, release) } };
    });
  };

  const sendAnswer = async (
    request: IncomingMessage,
    response: ServerResponse,
    { status = 200, headers, body }: GraphqlHttpResponse,
  ): Promise<void> => {
    if (body.kind === 'complete') {
      if (!options.compression || !isWorthIt(body.string)) return send(response, status, headers, body.string);
      response.appendHeader('vary', 'accept-encoding');
      const smaller = await compressed(body.string, headerOf(request, 'accept-encoding'));
      if (smaller === undefined) return send(response, status, headers, body.string);
      // Apollo Server told the length of the text.
      const others = [...headers].filter(([name]) => name !== 'content-length');
      return send(response, status, [...others, ['content-encoding', smaller.encoding]], smaller.bytes);
    }
    response.writeHead(status, [...headers].flat());
    await sendPieces(response, body.asyncIterator);
  };

  const server = createServer(
    {
      headersTimeout: Math.min(options.receiveTimeoutMs, 10_000),
      requestTimeout: options.receiveTimeoutMs,
      keepAliveTimeout: 75_000,
      connectionsCheckingInterval: Math.min(options.receiveTimeoutMs / 2, 5_000),
      noDelay: true,
    },
    (request, response) => {
      handle(request, response).catch((error: unknown) => {
        // A client that goes while it sends is no fault of ours.
        if (request.destroyed && !response.headersSent) return;
        log.error({ error, path: targetOf(request).pathname }, 'request failed');
        if (response.headersSent) response.destroy();
        else refuse(response, 500, 'INTERNAL_SERVER_ERROR');
      });
    },
  );

  server.on('clientError', refuseConnection);
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });

  return {
    server,
    listen: (host, port) =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, host, () => {
          server.off('error', reject);
          const { port: chosen } = server.address() as AddressInfo;
          resolve(`http://${host.includes(':') ? `[${host}]` : host}:${String(chosen)}`);
        });
      }),
    announceDrain() {
      draining = true;
      for (const response of unanswered) {
        if (!response.headersSent) response.setHeader('connection', 'close');
      }
    },
    async close() {
      this.announceDrain();
      if (!server.listening) return;
      await connectionsGone(server, options.drainMs);
      await new Promise<void>((resolve, reject) => {
        // Closes idle connections at once; the others end with `connection: close`.
        server.close((error) => {
          if (error === undefined) resolve();
          else reject(error);
        });
        // One that has never carried a byte, as browsers open them in advance, does not count as idle.
        for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
      });
    },
  };
}

/** Ends when the client is gone or the time is over. */
function deadline(response: ServerResponse, timeoutMs: number): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  const timer = setTimeout(abort, timeoutMs);
  response.once('close', abort);
  return {
    signal: controller.signal,
    release() {
      clearTimeout(timer);
      response.off('close', abort);
    },
  };
}

function targetOf(request: IncomingMessage): { readonly pathname: string; readonly search: string } {
  const url = request.url ?? '/';
  const question = url.indexOf('?');
  return question < 0
    ? { pathname: url, search: '' }
    : { pathname: url.slice(0, question), search: url.slice(question) };
}

function wantsHtml(request: IncomingMessage): boolean {
  return (headerOf(request, 'accept') ?? '').includes('text/html');
}

function sendPage(response: ServerResponse, { contentType, headers, body }: Page): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.setHeader('x-content-type-options', 'nosniff');
  send(response, 200, [['content-type', contentType]], body);
}

function refuse(response: ServerResponse, status: number, code: ErrorCode, message = errorTable[code].message): void {
  sendJson(response, status, { errors: [{ message, extensions: { code } }] });
}

/** What is no HTTP, too long a head, or too slow: there is no request to answer, only a connection. */
function refuseConnection(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable) return void socket.destroy();
  const [status, code]: [string, ErrorCode] =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? ['408 Request Timeout', 'REQUEST_TIMEOUT']
      : error.code === 'HPE_HEADER_OVERFLOW'
        ? ['431 Request Header Fields Too Large', 'BAD_REQUEST']
        : ['400 Bad Request', 'BAD_REQUEST'];
  const body = JSON.stringify({ errors: [{ message: errorTable[code].message, extensions: { code } }] });
  const head = [`HTTP/1.1 ${status}`, 'connection: close', 'content-type: application/json; charset=utf-8'];
  socket.end(`${head.join('\r\n')}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}

const jsonHead = [
  ['cache-control', 'no-store'],
  ['content-type', 'application/json; charset=utf-8'],
] as const;
/** @throws the error again when it is none that a client caused */
function refuseError(response: ServerResponse, error: unknown): void {
  if (!(error instanceof CodedError)) throw error;
  const { message, extensions } = error;
  const { retryAfter } = extensions;
  if (typeof retryAfter === 'number') response.setHeader('retry-after', retryAfter);
  // A persisted query that is not known is part of the protocol, not a failure.
  const status =
    { RATE_LIMITED: 429, PERSISTED_QUERY_NOT_FOUND: 200, PERSISTED_QUERY_NOT_SUPPORTED: 200 }[error.code as string] ??
    400;
  sendJson(response, status, { errors: [{ message, extensions }] });
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  send(response, status, jsonHead, JSON.stringify(value));
}

/** The one place where a body leaves. The head is given as a list, which costs less than headers that are set one by one. */
function send(
  response: ServerResponse,
  status: number,
  headers: Iterable<readonly [string, string]>,
  body: string | Buffer,
): void {
  const head: string[] = [];
  for (const [name, value] of headers) head.push(name, value);
  head.push('content-length', String(Buffer.byteLength(body)));
  response.writeHead(status, head).end(body);
}
