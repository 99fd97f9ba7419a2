// The issuer of tokens in development: a key pair in a folder, the public half as a JWKS. Production has a real one.
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, SignJWT } from 'jose';
import type { JWK } from 'jose';
import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface TokenClaims {
  /** The customer, rider or operator. */
  readonly sub: string;
  /** Space-separated. Default: none. */
  readonly scope?: string | undefined;
  /** Negative for a token that has expired. Default 3,600 seconds. */
  readonly expiresInSeconds?: number | undefined;
}

export interface Issuer {
  /** Path of the JWKS, for AUTH_JWKS. */
  readonly jwksFile: string;
  readonly issuer: string;
  readonly audience: string;
  /** A signed token. */
  token(claims: TokenClaims): Promise<string>;
}

const algorithm = 'ES256';
const issuer = 'baedal-development';
const audience = 'baedal';

/** Opens the issuer in `folder`, with a new key pair when there is none. Two processes that do it at once get the same pair. */
export async function openIssuer(folder: string): Promise<Issuer> {
  await mkdir(folder, { recursive: true });
  const privateFile = join(folder, 'private.jwk');
  const jwksFile = join(folder, 'jwks.json');
  const jwk = (await readJwk(privateFile)) ?? (await createJwk(privateFile));
  const { d: _secret, ...publicJwk } = jwk;
  const unfinished = `${jwksFile}-${randomUUID()}`;
  await writeFile(unfinished, JSON.stringify({ keys: [publicJwk] }, undefined, 2));
  await rename(unfinished, jwksFile);
  const key = await importJWK(jwk, algorithm);
  return {
    jwksFile,
    issuer,
    audience,
    token: ({ sub, scope, expiresInSeconds = 3_600 }) =>
      new SignJWT(scope === undefined ? {} : { scope })
        .setProtectedHeader({ alg: algorithm, ...(jwk.kid === undefined ? {} : { kid: jwk.kid }) })
        .setSubject(sub)
        .setIssuer(issuer)
        .setAudience(audience)
        .setIssuedAt()
        .setExpirationTime(Math.floor(Date.now() / 1000) + expiresInSeconds)
        .sign(key),
  };
}

async function readJwk(file: string): Promise<JWK | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as JWK;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** A link can only be made where nothing is, and shows a whole file at once: the first process wins, and all read its key. */
async function createJwk(file: string): Promise<JWK> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
  const bare = await exportJWK(privateKey);
  const unfinished = `${file}-${randomUUID()}`;
  const jwk = { ...bare, kid: await calculateJwkThumbprint(bare), alg: algorithm, use: 'sig' };
  await writeFile(unfinished, JSON.stringify(jwk), { mode: 0o600 });
  try {
    await link(unfinished, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(unfinished, { force: true });
  }
  return (await readJwk(file)) ?? jwk;
}
