// Puts the router together from its parts, and takes it apart in the right order.
import { randomBytes } from 'node:crypto';
import type { Broker } from '../service/nats.ts';
import type { Identity } from '../service/identity.ts';
import type { Logger } from '../service/log.ts';
import { createAccessLog } from './access-log.ts';
import { noAuthRules } from './auth-rules.ts';
import { limitsOf, subgraphSettings } from './config.ts';
import type { RouterConfig } from './config.ts';
import { createCostLimit } from './cost-limit.ts';
import { createErrorMask } from './errors.ts';
import { isCrossSite } from './csrf.ts';
import { createForwardHeaders } from './forwarded-headers.ts';
import { createGraphqlLanes } from './graphql-lanes.ts';
import type { ReportOperation } from './graphql-http.ts';
import { startGraphqlServer } from './graphql-server.ts';
import { createHttpServer } from './http.ts';
import { createRouterMetrics } from './metrics.ts';
import { createOperations } from './operations.ts';
import { createPages } from './pages.ts';
import { createReloads } from './reload.ts';
import type { ReloadOutcome } from './reload.ts';
import { readPersistedList } from './persisted-manifest.ts';
import type { PersistedList } from './persisted-manifest.ts';
import { createPersistedOperations } from './persisted-operations.ts';
import { createRateLimits } from './rate-limits.ts';
import { createSubgraphClient } from './subgraph-client.ts';
import { createAdmission, watchLoop } from './traffic/admission.ts';
import { createLive } from './subscriptions/live.ts';
import { loadSupergraphMeanwhile } from './supergraph.ts';
import type { Supergraph } from './supergraph.ts';

export interface RouterOptions {
  readonly config: RouterConfig;
  /** What is served first. */
  readonly supergraph: Supergraph;
  /** The operations that may be asked; absent: every one. */
  readonly persistedList?: PersistedList | undefined;
  readonly identity: Identity;
  /** Connects to NATS; called only when a subscription field has events. The router closes what it gets. */
  readonly connect: () => Broker;
  readonly log: Logger;
}

export interface Router {
  /** Where GraphQL is served, `http://127.0.0.1:4000/graphql`. */
  readonly url: string;
  supergraph(): Supergraph;
  /** Goes over to the supergraph of another SDL. Never rejects: what is broken is refused, and the present one goes on. */
  reload(sdl: string): Promise<ReloadOutcome>;
  /** Says that there is something new that cannot even be read. */
  refuse(error: unknown): void;
  /** How many subscriptions were opened so far. */
  subscriptionsOpened(): number;
  /** Another list of operations takes over; one that cannot be read leaves the present one. */
  usePersistedList(json: string): void;
  /**
   * Drains: sockets are told, requests under way are answered, then everything is closed. Shortly before the time for it is over, what
   * still waits for a subgraph is answered with TIMEOUT, and clients that hold their connections are cut off.
   */
  close(): Promise<void>;
}

const endpoint = '/graphql';

/** Starts a router. Rejects, with everything closed again, when the supergraph is refused or the port is taken. */
export async function startRouter(options: RouterOptions): Promise<Router> {
  const { config, identity, log } = options;
  await using opened = new AsyncDisposableStack();
  const asConfigured = (loaded: Supergraph): Supergraph =>
    config.AUTH_MODE === 'off' ? { ...loaded, authRules: noAuthRules } : loaded;
  const supergraph = asConfigured(options.supergraph);
  const metrics = createRouterMetrics({ maxOperationNames: config.METRICS_OPERATION_NAMES });
  let broker: Broker | undefined;
  opened.defer(() => broker?.close());
  const client = createSubgraphClient({
    limitsOf: (subgraph) => trafficLimits(subgraphSettings(config, subgraph)),
    maxBroughtBytes: config.OPERATION_RESPONSE_LIMIT_BYTES,
    retireAfterMs: config.REQUEST_TIMEOUT_MS + config.SUBGRAPH_TIMEOUT_MS,
    log,
    metrics,
  });
  client.use(supergraph);
  metrics.readLoads(client.loads);
  opened.defer(() => client.close());
  const limits = limitsOf(config);
  const operations = createOperations({
    limits,
    onExceeded: metrics.limit,
    introspection: config.INTROSPECTION === 'on',
    cacheEntries: config.OPERATION_CACHE_ENTRIES,
    cacheMegabytes: config.OPERATION_CACHE_MB,
  });
  const { prepare } = operations;
  const checkCost = createCostLimit({ limits, listSize: config.LIMIT_LIST_SIZE, onExceeded: metrics.limit });
  const accessLog = createAccessLog(log, config.ACCESS_LOG);
  const report: ReportOperation = (summary, milliseconds) => {
    const { operation, codes } = summary;
    const kind = operation?.kind ?? 'unknown';
    metrics.operation({ kind, name: operation?.name, outcome: codes[0] ?? 'ok' }, milliseconds / 1000);
    accessLog(summary, milliseconds);
  };
  const admission = createAdmission({
    maxUnderWay: config.REQUESTS_UNDER_WAY,
    maxLoopDelayMs: config.EVENT_LOOP_DELAY_MS,
    onShed: metrics.shed,
  });
  opened.defer(watchLoop(admission));
  metrics.readUnderWay(admission.underWay);
  const rates = createRateLimits({
    perAddress: config.RATE_LIMIT_PER_ADDRESS,
    perViewer: config.RATE_LIMIT_PER_VIEWER,
    burstSeconds: config.RATE_LIMIT_BURST_SECONDS,
    trustedProxies: config.TRUSTED_PROXIES,
  });
  const persisted = createPersistedOperations({
    automatic: config.AUTOMATIC_PERSISTED_QUERIES === 'on',
    cacheEntries: config.PERSISTED_QUERY_CACHE_ENTRIES,
    unlisted: config.PERSISTED_OPERATIONS_MODE,
    list: options.persistedList,
    onUnlisted({ sha256, refused }) {
      metrics.unlisted(refused);
      log.info({ sha256, refused }, 'an operation is not listed');
    },
  });
  const variableLimits = { depth: config.LIMIT_VARIABLE_DEPTH, values: config.LIMIT_VARIABLE_VALUES };
  const forward = createForwardHeaders(config.FORWARD_HEADERS);
  const corsOrigins = new Set(config.CORS_ORIGINS);
  const execution = { fetch: client.fetch, checkCost, variableLimits };
  const mask = createErrorMask({
    exposedCodes: new Set(config.EXPOSED_ERROR_CODES),
    onMasked: (error) => log.error({ error }, 'an error was masked'),
  });
  const graphql = await startGraphqlServer({ supergraph, prepare, execution, mask, log });
  opened.defer(() => graphql.stop());

  const live = createLive({
    supergraph: graphql.supergraph,
    prepare,
    checkCost,
    variableLimits,
    admission,
    rates,
    persisted,
    forward,
    // Tokens are in the first message, which a page elsewhere does not have; cookies come by themselves.
    isForeign: (request) => config.FORWARD_HEADERS.includes('cookie') && isCrossSite(request, corsOrigins),
    report,
    identity,
    client,
    maskError: mask,
    log,
    registry: metrics.registry,
    limits: {
      maxConnections: config.LIVE_CONNECTIONS,
      maxConnectionsPerViewer: config.LIVE_CONNECTIONS_PER_VIEWER,
      maxSubscriptionsPerConnection: config.LIVE_SUBSCRIPTIONS_PER_CONNECTION,
      maxSubscriptionsPerViewer: config.LIVE_SUBSCRIPTIONS_PER_VIEWER,
      slowConsumerMs: config.LIVE_SLOW_CONSUMER_MS,
      maxReplay: config.LIVE_REPLAY,
      drainMs: config.LIVE_DRAIN_MS,
    },
  });
  /** Once connected, connected for good: a later supergraph may bring the first field with events. */
  const connectLive = (): Broker => {
    broker = options.connect();
    live.connect(broker, cursorSecrets(config, log));
    return broker;
  };
  const reloads = createReloads({
    present: graphql.supergraph,
    load: async (sdl) => asConfigured(await loadSupergraphMeanwhile(sdl, config.subgraphUrls, config.OVERRIDE_LABELS)),
    operations,
    warmOperations: config.WARM_OPERATIONS,
    replace(next) {
      graphql.replace(next);
      client.use(next);
      if (broker === undefined && next.eventFields.size > 0) connectLive();
      live.reload();
    },
    onOutcome: metrics.reloaded,
    log,
  });

  const http = createHttpServer({
    admission,
    answer: createGraphqlLanes({ apollo: graphql, prepare, execution, mask }),
    verify: identity.verify,
    rates,
    persisted,
    forward,
    forwardedNames: config.FORWARD_HEADERS,
    pages: config.PAGES === 'on' ? createPages({ endpoint, examplesFile: config.EXAMPLES_FILE }) : undefined,
    metrics,
    stream: live.answer,
    details: () => ({
      supergraph: graphql.supergraph().id,
      ...(broker === undefined ? {} : { nats: broker.isConnected() ? 'up' : 'down' }),
      ...refusalDetail(reloads.refusedAt()),
    }),
    corsOrigins,
    bodyLimitBytes: config.REQUEST_BODY_LIMIT_BYTES,
    receiveTimeoutMs: config.REQUEST_RECEIVE_TIMEOUT_MS,
    batchLimit: config.BATCH_LIMIT,
    compression: config.COMPRESSION === 'on',
    requestTimeoutMs: config.REQUEST_TIMEOUT_MS,
    drainMs: config.DRAIN_MS,
    report,
    log,
  });
  live.attach(http.server, endpoint);
  if (supergraph.eventFields.size > 0) await firstConnection(connectLive());
  opened.defer(async () => {
    http.announceDrain();
    // Together: the server counts sockets as connections, so it waits for these too.
    await Promise.all([live.close(), http.close()]);
  });
  const origin = await http.listen(config.HOST, config.ROUTER_PORT);

  const resources = opened.move();
  return {
    url: `${origin}${endpoint}`,
    supergraph: graphql.supergraph,
    reload: reloads.offer,
    refuse: reloads.refused,
    subscriptionsOpened: live.opened,
    usePersistedList(json) {
      try {
        const list = readPersistedList(json);
        persisted.use(list);
        log.info({ operations: list.size }, 'a list of persisted operations took over');
      } catch (error) {
        log.error({ error }, 'a list of persisted operations is refused; the present one goes on');
      }
    },
    async close() {
      const { SHUTDOWN_TIMEOUT_MS: whole } = config;
      const last = Math.min(1_000, whole / 4);
      const abandoning = setTimeout(client.abandon, whole - last);
      const cuttingOff = setTimeout(http.cutOff, whole - last / 2);
      await resources.disposeAsync();
      clearTimeout(abandoning);
      clearTimeout(cuttingOff);
    },
  };
}

/** Most brokers are there within milliseconds; one that is away must not keep queries and orders from being answered. */
const firstConnectionMs = 1_500;

/** Waits for the first connection, so that the first who subscribes is not turned away; but not for long. */
async function firstConnection({ connection }: Broker): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, firstConnectionMs);
  await Promise.race([connection, late]);
  clearTimeout(timer);
}

/** Said while ready: the present supergraph is served as before. */
const refusalDetail = (at: Date | undefined): Readonly<Record<string, string>> =>
  at === undefined ? {} : { newSupergraph: `refused at ${at.toISOString()}, see the log` };

function trafficLimits(settings: ReturnType<typeof subgraphSettings>) {
  return {
    timeoutMs: settings.SUBGRAPH_TIMEOUT_MS,
    maxResponseBytes: settings.SUBGRAPH_RESPONSE_LIMIT_BYTES,
    isSharing: settings.SUBGRAPH_SHARING === 'on',
    concurrency: settings.SUBGRAPH_CONNECTIONS,
    queue: settings.SUBGRAPH_QUEUE,
    retries: settings.SUBGRAPH_RETRIES,
    retryPercent: settings.SUBGRAPH_RETRY_PERCENT,
    breakerPercent: settings.SUBGRAPH_BREAKER_PERCENT,
    breakerOpenMs: settings.SUBGRAPH_BREAKER_OPEN_MS,
  };
}

function cursorSecrets({ CURSOR_SECRETS }: RouterConfig, log: Logger): readonly string[] {
  if (CURSOR_SECRETS.length > 0) return CURSOR_SECRETS;
  log.warn('CURSOR_SECRETS is not set: cursors of this process end with it');
  return [randomBytes(32).toString('base64url')];
}
