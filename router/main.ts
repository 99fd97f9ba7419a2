// The router's process: one supergraph in, one GraphQL endpoint out, over HTTP and WebSocket.
import { readFile } from 'node:fs/promises';
import { setFlagsFromString } from 'node:v8';
import { identityOptions } from '../service/env.ts';
import { createIdentity, noIdentity } from '../service/identity.ts';
import type { Identity } from '../service/identity.ts';
import { configureOrExit, runProcess } from '../service/lifecycle.ts';
import { createLog } from '../service/log.ts';
import { connectBroker } from '../service/nats.ts';
import { startTracing } from '../service/telemetry.ts';
import { readConfig } from './config.ts';
import type { RouterConfig } from './config.ts';
import { startRouter } from './router.ts';

// V8 would let the heap double before it collects what is old. Here that is mostly open subscriptions, which stay: a collection for
// every fifth more costs little, and what thousands of starting subscriptions leave behind is never piled up.
setFlagsFromString('--heap-growing-percent=20');

const config = configureOrExit(() => readConfig());
const log = createLog('router', config.LOG_LEVEL);

await runProcess({ log, shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT_MS }, async (resources) => {
  resources.defer(startTracing('router', config.OTEL_EXPORTER_OTLP_ENDPOINT));
  const sdl = await readFile(config.SUPERGRAPH_FILE, 'utf8');
  const router = await startRouter({
    config,
    sdl,
    identity: identityOf(config),
    connect: () => connectBroker({ servers: config.NATS_URL, name: 'router', log }),
    log,
  });
  resources.defer(() => router.close());
  log.info({ url: router.url, supergraph: router.supergraph().id }, 'ready');
});

function identityOf(config: RouterConfig): Identity {
  if (config.AUTH_MODE === 'off' || config.AUTH_JWKS === undefined) {
    log.warn('AUTH_MODE is off: nobody is identified and no auth directive is enforced');
    return noIdentity;
  }
  return createIdentity(identityOptions({ ...config, AUTH_JWKS: config.AUTH_JWKS }));
}
