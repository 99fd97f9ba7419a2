// The HTTP side of a subgraph: GraphQL, health and metrics on one port. It trusts nobody: identity and scopes are checked here too.
import { ApolloServer } from '@apollo/server';
import { unwrapResolverError } from '@apollo/server/errors';
import { ApolloServerPluginInlineTraceDisabled } from '@apollo/server/plugin/disabled';
import { buildSubgraphSchema } from '@apollo/subgraph';
import type { GraphQLResolverMap } from '@apollo/subgraph';
import { fastifyApolloDrainPlugin, fastifyApolloHandler } from '@as-integrations/fastify';
import fastify from 'fastify';
import { GraphQLError, parse } from 'graphql';
import type { FormattedExecutionResult, GraphQLFormattedError } from 'graphql';
import { enforceAuthDirectives } from './auth-directives.ts';
import { connectionsGone } from './drain.ts';
import { CodedError, codeOf, errorTable, isErrorCode } from './errors.ts';
import type { VerifyIdentity, Viewer } from './identity.ts';
import type { Logger } from './log.ts';
import { answerOperationBatch, operationBatchType } from './operation-batch.ts';
import { Histogram, inSpan, SpanKind } from './telemetry.ts';
import type { Registry } from './telemetry.ts';

/** What every resolver context has. */
export interface SubgraphContext {
  readonly viewer: Viewer | undefined;
}

export interface SubgraphServerOptions<Context extends SubgraphContext> {
  readonly sdl: string;
  readonly resolvers: GraphQLResolverMap<Context>;
  /**
   * Called once an HTTP request, for what its operations share: loaders and the like. The function it gives makes the context of one
   * operation; a request may carry operations of several viewers, so who may see a row is decided there.
   */
  readonly createContexts: () => (viewer: Viewer | undefined) => Context;
  readonly verify: VerifyIdentity;
  readonly host: string;
  readonly port: number;
  readonly bodyLimitBytes: number;
  /** Milliseconds for which kept connections may end by themselves when the server goes. */
  readonly drainMs: number;
  /** What must hold for the process to be ready, and what is only told. Each check resolves or rejects. */
  readonly checks: Readonly<Record<string, { readonly required: boolean; readonly check: () => Promise<void> }>>;
  readonly log: Logger;
  readonly metrics: Registry;
}

const healthCheckTimeoutMs = 2_000;
const acceptPost = `application/json, ${operationBatchType}`;

/**
 * Starts listening.
 * @returns the address, and how to stop: new requests are refused, those under way are finished.
 */
export async function startSubgraphServer<Context extends SubgraphContext>(
  options: SubgraphServerOptions<Context>,
): Promise<{ url: string; close(): Promise<void> }> {
  const { log, metrics } = options;
  const app = fastify({
    bodyLimit: options.bodyLimitBytes,
    requestTimeout: 30_000,
    keepAliveTimeout: 75_000,
    // What still comes on a kept connection while we drain is answered, and told to come to another instance next time.
    return503OnClosing: false,
  });
  let draining = false;
  app.addHook('onRequest', async (_request, reply) => {
    if (draining) reply.header('connection', 'close');
  });
  const schema = buildSubgraphSchema([{ typeDefs: parse(options.sdl), resolvers: options.resolvers }]);
  const apollo = new ApolloServer<Context>({
    schema: enforceAuthDirectives(schema),
    introspection: false,
    includeStacktraceInErrorResponses: false,
    stopOnTerminationSignals: false,
    formatError: (formatted, error) => maskError(formatted, error, log),
    plugins: [fastifyApolloDrainPlugin(app), ApolloServerPluginInlineTraceDisabled()],
    logger: log,
  });
  await apollo.start();
  const toResult = (error: unknown): FormattedExecutionResult => {
    const thrown = error instanceof GraphQLError ? error : new CodedError(codeOf(error), undefined, {}, error);
    return { errors: [maskError(thrown.toJSON(), thrown, log)] };
  };

  const duration = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Requests by route and status.',
    labelNames: ['route', 'status'],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30],
    registers: [metrics],
  });
  app.addHook('onResponse', (request, reply, done) => {
    duration.observe(
      { route: request.routeOptions.url ?? 'unknown', status: String(reply.statusCode) },
      reply.elapsedTime / 1000,
    );
    done();
  });
  app.setErrorHandler((error, _request, reply) => {
    const { statusCode } = error as { statusCode?: number };
    const code =
      statusCode === 413
        ? 'PAYLOAD_TOO_LARGE'
        : statusCode === undefined || statusCode >= 500
          ? codeOf(error)
          : 'BAD_REQUEST';
    log[errorTable[code].level]({ error, code }, 'request refused');
    return reply
      .status(statusCode ?? 500)
      .send({ errors: [{ message: errorTable[code].message, extensions: { code } }] });
  });

  const handle = fastifyApolloHandler(apollo, {
    context: async (request) => options.createContexts()(await identify(options.verify, request.headers.authorization)),
  });
  app.addContentTypeParser(operationBatchType, { parseAs: 'string' }, app.getDefaultJsonParser('error', 'error'));
  const batchOptions = { ...options, apollo, formatError: toResult };
  app.route({
    url: '/graphql',
    method: ['GET', 'POST'],
    async handler(request, reply) {
      reply.header('accept-post', acceptPost);
      if (request.headers['content-type'] === operationBatchType) {
        return reply.type(operationBatchType).send(await answerOperationBatch(request.body, batchOptions));
      }
      const traceparent = request.headers['traceparent'];
      return inSpan(
        'graphql',
        { kind: SpanKind.SERVER, traceparent: typeof traceparent === 'string' ? traceparent : undefined },
        async () => handle.call(app, request, reply),
      );
    },
  });
  app.get('/health/live', () => ({ status: 'live' }));
  app.get('/health/ready', async (_request, reply) => {
    const { ready, checks } = await runChecks(options.checks);
    const status = draining ? 'draining' : ready ? 'ready' : 'not ready';
    return reply.status(status === 'ready' ? 200 : 503).send({ status, checks });
  });
  app.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.metrics()));

  const address = await app.listen({ host: options.host, port: options.port });
  return {
    url: `${address}/graphql`,
    async close() {
      draining = true;
      await connectionsGone(app.server, options.drainMs);
      await apollo.stop();
      await app.close();
    },
  };
}

/** The viewer of a request; a token that does not hold answers 401. */
async function identify(verify: VerifyIdentity, authorization: string | undefined): Promise<Viewer | undefined> {
  try {
    return await verify(authorization);
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    const status = error.code === 'UNAUTHENTICATED' ? 401 : 503;
    throw new CodedError(error.code, error.message, { http: { status } }, error);
  }
}

/** Lets coded errors through and masks the rest; what is masked is logged whole. */
function maskError(formatted: GraphQLFormattedError, error: unknown, log: Logger): GraphQLFormattedError {
  const thrown = unwrapResolverError(error);
  const known = formatted.extensions?.['code'];
  // graphql-js and Apollo Server mark their own errors; INTERNAL_SERVER_ERROR is what Apollo puts on everything it does not know.
  const code = isErrorCode(known) && known !== 'INTERNAL_SERVER_ERROR' ? known : codeOf(thrown);
  const { level } = errorTable[code];
  log[level](
    { error: level === 'error' || level === 'warn' ? thrown : undefined, code, path: formatted.path },
    formatted.message,
  );
  if (code === known && code !== 'INTERNAL_SERVER_ERROR') return formatted;
  return { ...formatted, message: errorTable[code].message, extensions: { code } };
}

async function runChecks(
  checks: SubgraphServerOptions<SubgraphContext>['checks'],
): Promise<{ ready: boolean; checks: Record<string, string> }> {
  const results = await Promise.all(
    Object.entries(checks).map(async ([name, { required, check }]) => {
      let timer: NodeJS.Timeout | undefined;
      try {
        const timeout = new Promise<never>((_resolve, reject) => {
          timer = setTimeout(() => reject(new Error('timed out')), healthCheckTimeoutMs);
        });
        await Promise.race([check(), timeout]);
        return { name, ok: true, required };
      } catch {
        return { name, ok: false, required };
      } finally {
        clearTimeout(timer);
      }
    }),
  );
  return {
    ready: results.every(({ ok, required }) => ok || !required),
    checks: Object.fromEntries(results.map(({ name, ok }) => [name, ok ? 'up' : 'down'])),
  };
}
