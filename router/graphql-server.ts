// The one file that knows Apollo Server: it speaks GraphQL over HTTP (negotiation, status codes, CSRF, persisted queries),
// and is given documents that are prepared and errors that are masked here, the same as on sockets.
import { ApolloServer, HeaderMap } from '@apollo/server';
import type { ApolloServerPlugin, GraphQLRequestContext } from '@apollo/server';
import {
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginSchemaReportingDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled';
import type { GatewayExecutor } from '@apollo/server-gateway-interface';
import type { DocumentNode, ExecutionResult, FormattedExecutionResult } from 'graphql';
import { GraphQLError, Kind } from 'graphql';
import { CodedError, codeOf } from '../service/errors.ts';
import type { ErrorCode } from '../service/errors.ts';
import type { Viewer } from '../service/identity.ts';
import type { Logger } from '../service/log.ts';
import { codesOf } from './errors.ts';
import type { ErrorMask } from './errors.ts';
import { answerOperation } from './execution.ts';
import type { ExecutionDeps } from './execution.ts';
import { apolloLogger, createGateway } from './gateway.ts';
import { acceptsJson, wantsCost } from './graphql-http.ts';
import type {
  GraphqlHttpRequest,
  GraphqlHttpResponse,
  GraphqlRequestContext,
  OperationSummary,
  Progress,
} from './graphql-http.ts';
import type { PrepareOperation, Prepared } from './operations.ts';
import type { RequestContext } from './subgraph-client.ts';
import type { Supergraph } from './supergraph.ts';

export interface GraphqlServer {
  /** Answers one request, from where it is taken over. Never rejects. */
  answer(request: GraphqlHttpRequest, context: GraphqlRequestContext, progress: Progress): Promise<GraphqlHttpResponse>;
  supergraph(): Supergraph;
  /** Puts another supergraph in force for requests from now on. @throws Error when ApolloGateway refuses it */
  replace(next: Supergraph): void;
  stop(): Promise<void>;
}

export interface GraphqlServerOptions {
  readonly supergraph: Supergraph;
  readonly prepare: PrepareOperation;
  readonly execution: ExecutionDeps;
  readonly mask: ErrorMask;
  readonly log: Logger;
}

interface ApolloContext extends RequestContext {
  readonly onAnswered: (summary: OperationSummary) => void;
  /** Apollo Server copies contexts; what is found out meanwhile is kept behind a reference. */
  readonly found: Found;
  /** Set when it has been run already. */
  readonly result: ExecutionResult | undefined;
  readonly tellCost: boolean;
}

interface Found {
  /** Set when the text of the operation is known. */
  prepared: Prepared | undefined;
}

/** Starts Apollo Server over our executor. @throws Error when ApolloGateway refuses the supergraph */
export async function startGraphqlServer(options: GraphqlServerOptions): Promise<GraphqlServer> {
  const { prepare, execution, mask, log } = options;

  const execute: GatewayExecutor = async ({ context, request }) => {
    const apolloContext = context as ApolloContext;
    const { prepared } = apolloContext.found;
    if (prepared?.ok !== true) throw new Error('an operation reached the executor unprepared');
    // Without `data` Apollo Server answers 400, as for any request that was not executed.
    const result =
      apolloContext.result ??
      (await answerOperation(prepared.operation, request.variables, execution, apolloContext, apolloContext.tellCost));
    return result as Awaited<ReturnType<GatewayExecutor>>;
  };
  const { gateway, supergraph, replace } = createGateway(options.supergraph, execute, log);

  const server = new ApolloServer<ApolloContext>({
    gateway,
    logger: apolloLogger(log),
    plugins: [
      preparation({ prepare, mask, supergraph }),
      ApolloServerPluginLandingPageDisabled(),
      // Nothing is reported to anyone, whatever the environment says.
      ApolloServerPluginUsageReportingDisabled(),
      ApolloServerPluginSchemaReportingDisabled(),
    ],
    formatError: (_formatted, error) => mask(error),
    introspection: true, // decided in `prepare`
    includeStacktraceInErrorResponses: false,
    stopOnTerminationSignals: false,
    csrfPrevention: false, // done in `http.ts`, for every way to answer
    documentStore: null,
    persistedQueries: false, // done in `persisted-operations.ts`
    allowBatchedHttpRequests: false,
    nodeEnv: 'production',
  });
  await server.start();

  return {
    supergraph,
    replace,
    async answer(request, { identify, onAnswered, traceparent, forwarded, signal }, { prepared, result }) {
      const found: Found = { prepared };
      let summary: OperationSummary | undefined;
      const response = await server.executeHTTPGraphQLRequest({
        httpGraphQLRequest: { ...request, headers: toHeaderMap(request.headers) },
        context: async () => ({
          viewer: await identified(identify, log),
          traceparent,
          forwarded,
          signal,
          onAnswered: (answered: OperationSummary) => (summary = answered),
          found,
          result: result ?? (acceptsJson(String(request.headers['accept'] ?? '')) ? undefined : notRun),
          tellCost: wantsCost(request),
        }),
      });
      onAnswered(summary ?? refusalOf(response));
      return response.status === 400 && found.prepared !== undefined && wantsPlainJson(request, response)
        ? { ...response, status: 200 }
        : response;
    },
    stop: () => server.stop(),
  };
}

/** Prepares the operation in place of Apollo Server's parsing and validation, and tells what it was when it is answered. */
function preparation(deps: {
  readonly prepare: PrepareOperation;
  readonly mask: ErrorMask;
  readonly supergraph: () => Supergraph;
}): ApolloServerPlugin<ApolloContext> {
  return {
    requestDidStart: () =>
      Promise.resolve({
        didResolveSource(request) {
          const { source } = request;
          const { found } = request.contextValue;
          const prepared =
            found.prepared ?? deps.prepare(deps.supergraph(), source, request.request.operationName ?? undefined);
          found.prepared = prepared;
          // A document that is there already is neither parsed nor validated again.
          (request as { document?: DocumentNode }).document = prepared.ok ? prepared.operation.document : noDocument;
          return Promise.resolve();
        },
        responseForOperation({ contextValue, response }) {
          const { prepared } = contextValue.found;
          if (prepared?.ok !== false) return Promise.resolve(null);
          return Promise.resolve({
            http: { status: isOurs(prepared.errors) ? 500 : 400, headers: response.http.headers },
            body: { kind: 'single', singleResult: { errors: prepared.errors.map(deps.mask) } },
          });
        },
        willSendResponse(request) {
          request.contextValue.onAnswered(summaryOf(request));
          return Promise.resolve();
        },
      }),
  };
}

/** Apollo Server looks at the `accept` header only when there is an answer: what it will not send is not run for it. */
const notRun: ExecutionResult = { errors: [new CodedError('BAD_REQUEST')] };

/** Whether an operation could not be prepared for no fault of the client's. */
const isOurs = (errors: readonly GraphQLError[]): boolean =>
  errors.some(({ extensions }) => extensions['code'] === 'INTERNAL_SERVER_ERROR');

const noDocument: DocumentNode = { kind: Kind.DOCUMENT, definitions: [] };

function summaryOf({ contextValue, response }: GraphQLRequestContext<ApolloContext>): OperationSummary {
  const { prepared } = contextValue.found;
  const errors = response.body?.kind === 'single' ? response.body.singleResult.errors : undefined;
  return { operation: prepared?.ok === true ? prepared.operation : undefined, codes: codesOf(errors) };
}

/** Of a request that did not come as far as its operation: Apollo Server tells its plugins nothing of it. */
function refusalOf({ body }: GraphqlHttpResponse): OperationSummary {
  const { errors } = body.kind === 'complete' ? (JSON.parse(body.string) as FormattedExecutionResult) : {};
  return { operation: undefined, codes: codesOf(errors) };
}

/** A token that does not hold is answered 401; keys that cannot be read, 503; a viewer who asks too much, 429. */
async function identified(identify: () => Promise<Viewer | undefined>, log: Logger): Promise<Viewer | undefined> {
  try {
    return await identify();
  } catch (error) {
    const code = codeOf(error);
    if (code === 'SERVICE_UNAVAILABLE') log.error({ error }, 'a token could not be checked');
    const status = statusOfIdentity.get(code) ?? 500;
    const retryAfter = error instanceof CodedError ? error.extensions['retryAfter'] : undefined;
    const headers = new Map<string, string>();
    if (typeof retryAfter === 'number') headers.set('retry-after', String(retryAfter));
    if (status === 401) headers.set('www-authenticate', 'Bearer');
    throw new GraphQLError(error instanceof Error ? error.message : code, {
      extensions: {
        code,
        ...(retryAfter === undefined ? {} : { retryAfter }),
        http: { status, headers },
      },
    });
  }
}

const statusOfIdentity: ReadonlyMap<ErrorCode, number> = new Map([
  ['UNAUTHENTICATED', 401],
  ['RATE_LIMITED', 429],
  ['SERVICE_UNAVAILABLE', 503],
]);

/**
 * Whether the answer is `application/json` because the client asked for it by name. Clients that do may not know the answers of
 * requests with another status to be GraphQL, so the specification gives them 200 for every request that is well-formed.
 */
function wantsPlainJson({ headers }: GraphqlHttpRequest, response: GraphqlHttpResponse): boolean {
  const type = new Map(response.headers).get('content-type') ?? '';
  return type.startsWith('application/json') && String(headers['accept'] ?? '').includes('application/json');
}

function toHeaderMap(headers: GraphqlHttpRequest['headers']): HeaderMap {
  const map = new HeaderMap();
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) map.set(name, typeof value === 'string' ? value : value.join(', '));
  }
  return map;
}
