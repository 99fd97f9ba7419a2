// Which tokens hold, which do not, and what becomes of them when keys change or time passes.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { JWTPayload } from 'jose';
import { mkdtemp, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createIdentity, requireViewer } from './identity.ts';

type Key = Awaited<ReturnType<typeof createKey>>;
/** `undefined` leaves a claim out. */
type Claims = { readonly [Name in keyof JWTPayload]?: unknown };

const issuer = 'the-issuer';
const audience = 'the-audience';
const now = Date.parse('2026-03-01T12:00:00Z');
const inSeconds = (seconds: number): number => now / 1000 + seconds;

let folder: string;
let key: Key;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'baedal-identity-'));
  key = await createKey('first');
});
afterAll(() => rm(folder, { recursive: true }));

describe('a token', () => {
  test('gives its subject, scopes and expiry', async () => {
    const verify = await verifier([key]);
    const token = await sign(key, { scope: 'orders:read:all  menus:write' });
    const viewer = await verify(`Bearer ${token}`);
    expect(viewer).toEqual({
      sub: 'alice',
      scopes: new Set(['orders:read:all', 'menus:write']),
      expiresAt: inSeconds(60) * 1000,
      token,
    });
    expect(await verify(`bearer ${token}`)).toEqual(viewer);
  });

  test('without scopes has none, whatever the claim is', async () => {
    const verify = await verifier([key]);
    expect((await verify(`Bearer ${await sign(key, {})}`))?.scopes).toEqual(new Set());
    expect((await verify(`Bearer ${await sign(key, { scope: ['menus:write'] })}`))?.scopes).toEqual(new Set());
  });

  test('is not needed: no header is nobody', async () => {
    const verify = await verifier([key]);
    expect(await verify(undefined)).toBeUndefined();
    expect(await verify('')).toBeUndefined();
    expect(() => requireViewer(undefined)).toThrow(expect.objectContaining({ code: 'UNAUTHENTICATED' }));
  });

  const claims: [string, Claims][] = [
    ['that has expired', { exp: inSeconds(-1) }],
    ['without an expiry', { exp: undefined }],
    ['that is not valid yet', { nbf: inSeconds(30) }],
    ['of another issuer', { iss: 'someone-else' }],
    ['for another audience', { aud: 'something-else' }],
    ['without a subject', { sub: undefined }],
    ['with an empty subject', { sub: '' }],
    ['with a subject that is too long', { sub: 'a'.repeat(201) }],
  ];
  test.each(claims)('%s is refused', async (_, claim) => {
    const verify = await verifier([key]);
    await expect(verify(`Bearer ${await sign(key, claim)}`)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  test('says why it is refused when it has expired', async () => {
    const verify = await verifier([key]);
    const token = await sign(key, { exp: inSeconds(-1) });
    await expect(verify(`Bearer ${token}`)).rejects.toThrow('The token has expired.');
  });

  test('of an unknown key is refused, also when it claims the id of a known one', async () => {
    const verify = await verifier([key]);
    for (const id of ['second', 'first']) {
      const stranger = await createKey(id);
      await expect(verify(`Bearer ${await sign(stranger, {})}`)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    }
  });

  test('with a shared secret or no signature at all is refused', async () => {
    const verify = await verifier([key]);
    const secret = new TextEncoder().encode(JSON.stringify(key.publicJwk));
    const shared = await unsigned({}).setProtectedHeader({ alg: 'HS256', kid: 'first' }).sign(secret);
    const [, payload] = shared.split('.');
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload ?? ''}.`;
    for (const token of [shared, none]) {
      await expect(verify(`Bearer ${token}`)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    }
  });

  test('that was changed after signing is refused', async () => {
    const verify = await verifier([key]);
    const [header, , signature] = (await sign(key, {})).split('.');
    const claim = Buffer.from(JSON.stringify({ sub: 'mallory', iss: issuer, aud: audience, exp: inSeconds(60) }));
    const forged = [header, claim.toString('base64url'), signature].join('.');
    await expect(verify(`Bearer ${forged}`)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  const headers = ['Bearer', 'Bearer ', 'Basic YWxpY2U6', 'Bearer a b', 'Bearer not-a-token', 'Bearer a.b.c', 'null'];
  test.each(headers)('header "%s" is refused', async (header) => {
    const verify = await verifier([key]);
    await expect(verify(header)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  test('over 8 KiB is refused unread, even when it is good', async () => {
    const verify = await verifier([key]);
    const token = await sign(key, { scope: 's'.repeat(8_192) });
    await expect(verify(`Bearer ${token}`)).rejects.toThrow('must read "Bearer <token>"');
  });

  test('is remembered until it expires, and not a moment longer', async () => {
    let clock = now;
    const { file, verify } = await verifierWithFile([key], () => clock);
    const authorization = `Bearer ${await sign(key, {})}`;
    const first = await verify(authorization);
    await rm(file);
    clock = inSeconds(59) * 1000;
    expect(await verify(authorization)).toBe(first);
    clock = inSeconds(60) * 1000;
    await writeKeys(file, [key]);
    await expect(verify(authorization)).rejects.toThrow('The token has expired.');
  });
});

describe('the keys', () => {
  test('in a file are read again when it changes', async () => {
    const second = await createKey('second');
    const { file, verify } = await verifierWithFile([key]);
    const old = `Bearer ${await sign(key, { jti: 'before' })}`;
    const fresh = `Bearer ${await sign(second, {})}`;
    await verify(`Bearer ${await sign(key, {})}`);
    await expect(verify(fresh)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });

    await writeKeys(file, [key, second]);
    expect(await verify(fresh)).toMatchObject({ sub: 'alice' });
    await writeKeys(file, [second]);
    await expect(verify(old)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  test('that are taken out take the tokens of theirs with them, also those that were seen before', async () => {
    const second = await createKey('second');
    let clock = now;
    const { file, verify } = await verifierWithFile([key, second], () => clock, 5_000);
    const gone = `Bearer ${await sign(key, {})}`;
    const stays = `Bearer ${await sign(second, {})}`;
    await Promise.all([verify(gone), verify(stays)]);
    await writeKeys(file, [second]);
    clock += 5_000;
    await expect(verify(gone)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(await verify(stays)).toMatchObject({ sub: 'alice' });
  });

  test('that cannot be read any more go on as they were', async () => {
    let clock = now;
    const { file, verify } = await verifierWithFile([key], () => clock, 5_000);
    const authorization = `Bearer ${await sign(key, {})}`;
    const viewer = await verify(authorization);
    await rm(file);
    clock += 5_000;
    expect(await verify(authorization)).toBe(viewer);
  });

  test('that change are told to who listens', async () => {
    const { file, verify, onKeysChanged } = await verifierWithFile([key], () => now, 20);
    const authorization = `Bearer ${await sign(key, {})}`;
    await verify(authorization);
    let stop = (): void => undefined;
    const told = new Promise<void>((resolve) => (stop = onKeysChanged(resolve)));
    await writeKeys(file, [await createKey('second')]);
    await told;
    stop();
    await expect(verify(authorization)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  test('that cannot be read are our fault, not the token’s', async () => {
    const { file, verify } = await verifierWithFile([key]);
    const authorization = `Bearer ${await sign(key, {})}`;
    for (const broken of ['', '{"keys": 1}', '{', undefined]) {
      if (broken === undefined) await rm(file);
      else await replaceFile(file, broken);
      await expect(verify(authorization)).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    }
    await writeKeys(file, [key]);
    expect(await verify(authorization)).toMatchObject({ sub: 'alice' });
  });

  test('come from an address too', async () => {
    let status = 500;
    const server = createServer((_, response) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ keys: [key.publicJwk] }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const jwks = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
      const { verify } = createIdentity({ jwks, issuer, audience, now: () => now });
      const authorization = `Bearer ${await sign(key, {})}`;
      await expect(verify(authorization)).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
      status = 200;
      expect(await verify(authorization)).toMatchObject({ sub: 'alice' });
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });
});

async function createKey(kid: string) {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  return { kid, privateKey, publicJwk: { ...(await exportJWK(publicKey)), kid, alg: 'ES256' } };
}

const unsigned = (claims: Claims): SignJWT =>
  new SignJWT({ sub: 'alice', iss: issuer, aud: audience, exp: inSeconds(60), ...claims } as JWTPayload);

const sign = ({ kid, privateKey }: Key, claims: Claims): Promise<string> =>
  unsigned(claims).setProtectedHeader({ alg: 'ES256', kid }).sign(privateKey);

async function verifierWithFile(keys: readonly Key[], clock = () => now, refreshMs = 60_000) {
  const file = join(folder, `${crypto.randomUUID()}.json`);
  await writeKeys(file, keys);
  return { file, ...createIdentity({ jwks: file, issuer, audience, refreshMs, now: clock }) };
}

const verifier = async (keys: readonly Key[]) => (await verifierWithFile(keys)).verify;

const writeKeys = (file: string, keys: readonly Key[]): Promise<void> =>
  replaceFile(file, JSON.stringify({ keys: keys.map(({ publicJwk }) => publicJwk) }));

let written = 0;
/** As an operator's tool does it: whole at once. The time rises by a second, as file systems count in coarse steps. */
async function replaceFile(file: string, content: string): Promise<void> {
  const unfinished = `${file}-new`;
  await writeFile(unfinished, content);
  const time = new Date(now + 1000 * ++written);
  await utimes(unfinished, time, time);
  await rename(unfinished, file);
}
