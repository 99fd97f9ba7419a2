// For tests: a router over the test subgraphs, all in this process, with its own keys for tokens.
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { CryptoKey } from 'jose';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { composeSupergraph } from '../schema/compose.ts';
import { createIdentity } from '../service/identity.ts';
import { createLog } from '../service/log.ts';
import { readConfig } from './config.ts';
import type { PersistedList } from './persisted-manifest.ts';
import { startRouter } from './router.ts';
import { loadSupergraph } from './supergraph.ts';
import type { Router } from './router.ts';
import { reviewResolvers, reviewSdl, startSubgraph, userResolvers, userSdl } from './test-subgraphs.ts';

export interface TestRouter {
  readonly url: string;
  readonly origin: string;
  readonly router: Router;
  /** Headers of each request that reached the subgraph of users, newest last. */
  readonly seen: Readonly<Record<string, string | string[] | undefined>>[];
  /** Answers the field `slow`, which waits for it. */
  answerSlow(): void;
  stopReviews(): Promise<void>;
  token(claims: { readonly sub: string; readonly scope?: string; readonly expiresAt?: number }): Promise<string>;
  /** Posts an operation and gives the parsed answer. */
  ask(query: string, options?: AskOptions): Promise<Answer>;
  close(): Promise<void>;
}

export interface AskOptions {
  readonly token?: string | undefined;
  readonly variables?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly data: unknown;
  readonly errors: readonly { message: string; path?: unknown; extensions: Record<string, unknown> }[];
}

const issuer = { issuer: 'test', audience: 'test' };

/** Starts all of it; `env` is the router's environment. */
export async function startTestRouter(
  env: Readonly<Record<string, string>> = {},
  persistedList?: PersistedList,
): Promise<TestRouter> {
  const { promise: never, resolve: endSlow } = Promise.withResolvers<string>();
  const seen: TestRouter['seen'] = [];
  const users = await startSubgraph(userSdl, userResolvers(never), (headers) => seen.push(headers));
  const reviews = await startSubgraph(reviewSdl, reviewResolvers, () => undefined);
  const { supergraphSdl } = composeSupergraph([
    { name: 'users', url: users.url, sdl: userSdl },
    { name: 'reviews', url: reviews.url, sdl: reviewSdl },
  ]);
  const keys = await createKeys();
  const log = createLog('router', 'silent');
  const config = readConfig(
    {
      ROUTER_PORT: '0',
      DRAIN_MS: '0',
      AUTH_JWKS: keys.jwks,
      EXAMPLES_FILE: '/nowhere',
      // A machine with other work makes the event loop late: no test is turned away for that.
      EVENT_LOOP_DELAY_MS: '600000',
      ...env,
    },
    [],
  );
  const router = await startRouter({
    config,
    supergraph: loadSupergraph(supergraphSdl, config.subgraphUrls, config.OVERRIDE_LABELS),
    persistedList,
    identity: createIdentity({ jwks: keys.jwks, ...issuer }),
    connect: () => {
      throw new Error('no event field, no broker');
    },
    log,
  });
  const { url } = router;

  return {
    url,
    origin: new URL(url).origin,
    router,
    seen,
    answerSlow: () => endSlow('at last'),
    stopReviews: () => reviews.stop(),
    token: keys.token,
    async ask(query, { token, variables, headers } = {}) {
      const response = await fetch(url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...headers,
        },
        body: JSON.stringify({ query, variables }),
      });
      const answer = (await response.json()) as { data?: unknown; errors?: Answer['errors'] };
      return { status: response.status, data: answer.data, errors: answer.errors ?? [] };
    },
    async close() {
      endSlow('at last');
      await router.close();
      await Promise.all([users.stop(), reviews.stop()]);
      await keys.remove();
    },
  };
}

async function createKeys(): Promise<{ jwks: string; token: TestRouter['token']; remove(): Promise<void> }> {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  const folder = await mkdtemp(join(tmpdir(), 'router-'));
  const jwks = join(folder, 'jwks.json');
  await writeFile(jwks, JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'a', alg: 'ES256' }] }));
  return { jwks, token: (claims) => sign(privateKey, claims), remove: () => rm(folder, { recursive: true }) };
}

function sign(key: CryptoKey, { sub, scope, expiresAt }: Parameters<TestRouter['token']>[0]): Promise<string> {
  return new SignJWT(scope === undefined ? {} : { scope })
    .setProtectedHeader({ alg: 'ES256', kid: 'a' })
    .setSubject(sub)
    .setIssuer(issuer.issuer)
    .setAudience(issuer.audience)
    .setExpirationTime(expiresAt ?? Math.floor(Date.now() / 1000) + 600)
    .sign(key);
}
