// The router's process: one supergraph in, one GraphQL endpoint out, over HTTP and WebSocket.
import { ConfigurationError, identityOptions } from '../service/env.ts';
import { createIdentity, noIdentity } from '../service/identity.ts';
import type { Identity } from '../service/identity.ts';
import { configureOrExit, runProcess } from '../service/lifecycle.ts';
import { createLog } from '../service/log.ts';
import { connectBroker } from '../service/nats.ts';
import { startTracing } from '../service/telemetry.ts';
import { readConfig } from './config.ts';
import type { RouterConfig } from './config.ts';
import { saveMemory } from './memory-saving.ts';
import { readPersistedList } from './persisted-manifest.ts';
import type { PersistedList } from './persisted-manifest.ts';
import { startRouter } from './router.ts';
import { readTextFile, watchTextFile } from './text-file.ts';
import { loadSupergraph } from './supergraph.ts';
import type { Supergraph } from './supergraph.ts';

const config = configureOrExit(() => readConfig());
const supergraph = configureOrExit(() => firstSupergraph(config));
const persisted = configureOrExit(() => firstPersistedList(config));
const log = createLog('router', config.LOG_LEVEL);

await runProcess({ log, shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT_MS }, async (resources) => {
  resources.defer(startTracing('router', config.OTEL_EXPORTER_OTLP_ENDPOINT));
  const router = await startRouter({
    config,
    supergraph,
    persistedList: persisted?.list,
    identity: identityOf(config),
    connect: () => connectBroker({ servers: config.NATS_URL, name: 'router', log }),
    log,
  });
  resources.defer(() => router.close());
  resources.defer(saveMemory(router.subscriptionsOpened));
  resources.defer(
    watchTextFile({
      path: config.SUPERGRAPH_FILE,
      content: supergraph.sdl,
      pollMs: config.SUPERGRAPH_POLL_MS,
      onContent: (sdl) => void router.reload(sdl),
      onUnreadable: router.refuse,
    }),
  );
  if (persisted !== undefined) {
    resources.defer(
      watchTextFile({
        path: persisted.path,
        content: persisted.content,
        pollMs: config.SUPERGRAPH_POLL_MS,
        onContent: router.usePersistedList,
        onUnreadable: (error) => log.error({ error }, 'the list of persisted operations cannot be read'),
      }),
    );
  }
  log.info({ url: router.url, supergraph: router.supergraph().id }, 'ready');
});

/** @throws ConfigurationError in one line */
function firstSupergraph({ SUPERGRAPH_FILE, subgraphUrls, OVERRIDE_LABELS }: RouterConfig): Supergraph {
  try {
    return loadSupergraph(readTextFile(SUPERGRAPH_FILE), subgraphUrls, OVERRIDE_LABELS);
  } catch (error) {
    const problem = (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, ' ');
    throw new ConfigurationError(`${SUPERGRAPH_FILE} cannot be served as a supergraph: ${problem}`);
  }
}

/** @throws ConfigurationError in one line */
function firstPersistedList({
  PERSISTED_OPERATIONS: path,
}: RouterConfig): { path: string; content: string; list: PersistedList } | undefined {
  if (path === undefined) return undefined;
  try {
    const content = readTextFile(path);
    return { path, content, list: readPersistedList(content) };
  } catch (error) {
    const problem = (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, ' ');
    throw new ConfigurationError(`${path} is no list of persisted operations: ${problem}`);
  }
}

function identityOf(config: RouterConfig): Identity {
  if (config.AUTH_MODE === 'off' || config.AUTH_JWKS === undefined) {
    log.warn('AUTH_MODE is off: nobody is identified and no auth directive is enforced');
    return noIdentity;
  }
  return createIdentity(identityOptions({ ...config, AUTH_JWKS: config.AUTH_JWKS }));
}
