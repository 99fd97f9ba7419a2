// The one server of node:http: routes, CORS, time limits and the drain. How bodies come is in http-body.ts, how answers leave in
// http-answers.ts; everything about GraphQL is elsewhere.
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connectionsGone, lookEveryMs } from '../service/drain.ts';
import type { VerifyIdentity } from '../service/identity.ts';
import type { Logger } from '../service/log.ts';
import { currentTraceparent, inSpan, SpanKind } from '../service/telemetry.ts';
import { spanAttributes } from './access-log.ts';
import { checkBatch, joinAnswers } from './batch.ts';
import { cancelledWith } from './cancellation.ts';
import { compressed, isWorthIt } from './compression.ts';
import { corsHeaders } from './cors.ts';
import { isCrossSite } from './csrf.ts';
import type { ForwardHeaders } from './forwarded-headers.ts';
import type { AnswerGraphql, GraphqlHttpResponse, ReportOperation } from './graphql-http.ts';
import { createHttpAnswers, refuseConnection } from './http-answers.ts';
import { asked, discard, headerOf, isCompressed, isJson, readBody } from './http-body.ts';
import type { Asked } from './http-body.ts';
import type { RouterMetrics } from './metrics.ts';
import type { Pages } from './pages.ts';
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
  /** Picks the headers that go on to subgraphs. */
  readonly forward: ForwardHeaders;
  /** Their names, which pages of the origins below may send. */
  readonly forwardedNames: readonly string[];
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
  readonly report: ReportOperation;
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
  /** Cuts off whoever is connected still: a client that does not send, read or end what it began. */
  cutOff(): void;
}

export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { admission, pages, metrics, rates, log } = options;
  let draining = false;
  const answers = createHttpAnswers(() => draining, metrics.refused);

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname, search } = targetOf(request);
    switch (pathname) {
      case '/graphql':
        return takeOn(request, response, search);
      case '/health/live':
        return answers.sendJson(response, 200, { status: 'live' });
      case '/health':
      case '/health/ready':
        return answers.sendJson(response, draining ? 503 : 200, {
          status: draining ? 'draining' : 'ready',
          checks: { ...options.details() },
        });
      case '/metrics':
        return answers.send(
          response,
          200,
          [['content-type', metrics.registry.contentType]],
          await metrics.registry.metrics(),
        );
      default: {
        const page = request.method === 'GET' ? pages?.at(pathname) : undefined;
        if (page === undefined) return answers.refuse(response, 404, 'NOT_FOUND', 'There is nothing at this address.');
        return answers.sendPage(response, page);
      }
    }
  };

  /** A request that is not taken on costs next to nothing: its body is not even read. */
  const takeOn = async (request: IncomingMessage, response: ServerResponse, search: string): Promise<void> => {
    for (const [name, value] of corsHeaders(request, options.corsOrigins, options.forwardedNames))
      response.setHeader(name, value);
    if (admission.enter() !== undefined) {
      response.setHeader('retry-after', '1');
      return answers.refuse(response, 503, 'OVERLOADED');
    }
    try {
      await answerGraphql(request, response, search);
    } finally {
      admission.leave();
    }
  };

  const answerGraphql = async (request: IncomingMessage, response: ServerResponse, search: string): Promise<void> => {
    if (request.method === 'OPTIONS') {
      answers.begin(response, 204, []);
      response.end();
      return;
    }
    if (pages !== undefined && request.method === 'GET' && search === '' && wantsHtml(request)) {
      return answers.sendPage(response, pages.sandbox());
    }
    if (isCrossSite(request, options.corsOrigins)) return answers.refuse(response, 403, 'CROSS_SITE_REQUEST');
    try {
      rates.takeFromAddress(rates.addressOf(request));
    } catch (error) {
      discard(request);
      return answers.refuseError(response, error);
    }
    let body: unknown;
    if (request.method === 'POST') {
      if (!isJson(request) || isCompressed(request)) {
        discard(request);
        return answers.refuse(response, 415, 'UNSUPPORTED_MEDIA_TYPE');
      }
      const bytes = await readBody(request, options.bodyLimitBytes);
      if (bytes === undefined) {
        discard(request);
        return answers.refuse(response, 413, 'PAYLOAD_TOO_LARGE');
      }
      try {
        body = JSON.parse(bytes.toString('utf8'));
      } catch {
        return answers.refuse(response, 400, 'BAD_REQUEST', 'The body is no valid JSON.');
      }
    }
    if (Array.isArray(body)) return answerBatch(request, response, search, body);
    let one: Asked;
    try {
      one = asked(body, search, options.persisted);
    } catch (error) {
      return answers.refuseError(response, error);
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
      return answers.refuseError(response, error);
    }
    // An answer in pieces has no place in a list.
    const headers = { ...request.headers, accept: 'application/json' };
    const answering = items.map(
      (item) => async () => answerOne(request, response, asked(item, search, options.persisted), headers),
    );
    return sendAnswer(request, response, await joinAnswers(answering));
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
      const { signal, release } = cancelledWith(response, options.requestTimeoutMs);
      const answer = await options.answer(
        { method: request.method ?? 'GET', headers, search, body },
        {
          identify: async () => {
            const viewer = await options.verify(headerOf(request, 'authorization'));
            rates.takeFromViewer(viewer?.sub);
            return viewer;
          },
          traceparent: currentTraceparent() ?? traceparent,
          forwarded: options.forward(headers),
          signal,
          onAnswered(summary) {
            // What broke off because its client has left is told to nobody, and is no failure.
            const told = response.destroyed ? { ...summary, codes: [] } : summary;
            options.report(told, performance.now() - started);
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
      if (!options.compression || !isWorthIt(body.string)) return answers.send(response, status, headers, body.string);
      response.appendHeader('vary', 'accept-encoding');
      const smaller = await compressed(body.string, headerOf(request, 'accept-encoding'));
      if (smaller === undefined) return answers.send(response, status, headers, body.string);
      // Apollo Server told the length of the text.
      const others = [...headers].filter(([name]) => name !== 'content-length');
      return answers.send(response, status, [...others, ['content-encoding', smaller.encoding]], smaller.bytes);
    }
    answers.begin(response, status, headers);
    await sendPieces(response, body.asyncIterator);
  };

  const server = createServer(
    {
      headersTimeout: Math.min(options.receiveTimeoutMs, 10_000),
      requestTimeout: options.receiveTimeoutMs,
      keepAliveTimeout: 75_000,
      connectionsCheckingInterval: Math.min(options.receiveTimeoutMs / 2, 5_000),
      noDelay: true,
      // Other protocols that a client offers, such as h2c, are passed over (RFC 9110, 7.8): the request is answered as it is.
      shouldUpgradeCallback: ({ headers }) => headers.upgrade?.toLowerCase() === 'websocket',
    },
    (request, response) => {
      handle(request, response).catch((error: unknown) => {
        // A client that goes while it sends is no fault of ours. (The request itself counts as destroyed once it has been read.)
        if (request.socket.destroyed && !response.headersSent) return;
        log.error({ error, path: targetOf(request).pathname }, 'request failed');
        if (response.headersSent) response.destroy();
        else answers.refuse(response, 500, 'INTERNAL_SERVER_ERROR');
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
    },
    cutOff() {
      if (sockets.size > 0) log.warn({ connections: sockets.size }, 'connections are cut off: their clients hold them');
      for (const socket of sockets) socket.destroy();
    },
    async close() {
      this.announceDrain();
      if (!server.listening) return;
      await connectionsGone(server, options.drainMs);
      // Node takes a connection for idle as soon as its answer was handed over: what a slow client has not read yet would be lost.
      while ([...sockets].some(({ writableLength }) => writableLength > 0)) await delay(lookEveryMs);
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

function targetOf(request: IncomingMessage): { readonly pathname: string; readonly search: string } {
  const given = request.url ?? '/';
  // Proxies may ask for the whole address (RFC 9112, absolute-form).
  const url = given.startsWith('/') ? given : given.replace(/^https?:\/\/[^/?]*/i, '');
  const question = url.indexOf('?');
  return question < 0
    ? { pathname: url, search: '' }
    : { pathname: url.slice(0, question), search: url.slice(question) };
}

function wantsHtml(request: IncomingMessage): boolean {
  return (headerOf(request, 'accept') ?? '').includes('text/html');
}
