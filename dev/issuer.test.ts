// The development issuer: tokens that the services accept, one key for good, private to its owner.
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createIdentity } from '../service/identity.ts';
import type { VerifyIdentity } from '../service/identity.ts';
import { openIssuer } from './issuer.ts';
import type { Issuer } from './issuer.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'baedal-issuer-'));
});
afterEach(() => rm(folder, { recursive: true }));

const verifierOf = ({ jwksFile, issuer, audience }: Issuer): VerifyIdentity =>
  createIdentity({ jwks: jwksFile, issuer, audience }).verify;

describe('the development issuer', () => {
  test('issues what the services accept, with subject, scopes and expiry', async () => {
    const issuer = await openIssuer(folder);
    const token = await issuer.token({ sub: 'alice', scope: 'menus:write orders:release', expiresInSeconds: 60 });
    const viewer = await verifierOf(issuer)(`Bearer ${token}`);
    expect(viewer?.sub).toBe('alice');
    expect(viewer?.scopes).toEqual(new Set(['menus:write', 'orders:release']));
    expect(viewer?.expiresAt).toBeGreaterThan(Date.now() + 50_000);
    expect(viewer?.expiresAt).toBeLessThanOrEqual(Date.now() + 61_000);
  });

  test('can issue an expired token, which the services refuse', async () => {
    const issuer = await openIssuer(folder);
    const token = await issuer.token({ sub: 'alice', expiresInSeconds: -1 });
    await expect(verifierOf(issuer)(`Bearer ${token}`)).rejects.toThrow('expired');
  });

  test('keeps its key: tokens of one run are good in the next', async () => {
    const token = await (await openIssuer(folder)).token({ sub: 'alice' });
    expect((await verifierOf(await openIssuer(folder))(`Bearer ${token}`))?.sub).toBe('alice');
  });

  test('opened many times at once has one key', async () => {
    const issuers = await Promise.all(Array.from({ length: 8 }, () => openIssuer(folder)));
    const tokens = await Promise.all(issuers.map((issuer) => issuer.token({ sub: 'alice' })));
    const verify = verifierOf(await openIssuer(folder));
    for (const token of tokens) expect((await verify(`Bearer ${token}`))?.sub).toBe('alice');
  });

  test('shows the private key to its owner alone, and never in the JWKS', async () => {
    const issuer = await openIssuer(folder);
    expect((await stat(join(folder, 'private.jwk'))).mode & 0o777).toBe(0o600);
    const { keys } = JSON.parse(await readFile(issuer.jwksFile, 'utf8')) as { keys: Record<string, unknown>[] };
    expect(keys).toHaveLength(1);
    expect(keys[0]).not.toHaveProperty('d');
  });
});
