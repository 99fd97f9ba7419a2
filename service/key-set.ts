// The keys that tokens are checked against: a JWKS (RFC 7517) from a file or an address, looked at again so that a change is noticed.
import { createLocalJWKSet, createRemoteJWKSet } from 'jose';
import type { JSONWebKeySet, JWTVerifyGetKey } from 'jose';
import { readFile, stat } from 'node:fs/promises';

export interface KeySet {
  /** The key of a token. Reads the set again when the token names a key that is not in it. */
  readonly keyOf: JWTVerifyGetKey;
  /**
   * How often the keys have changed so far, as seen at most `maxAgeMs` ago. A set that cannot be read just now counts as unchanged:
   * an issuer that is down takes nobody's rights away.
   */
  changes(maxAgeMs: number): Promise<number>;
}

/** Reads the keys anew, if they may have changed. */
interface Origin {
  readonly keyOf: JWTVerifyGetKey;
  /** The whole set as text; the same text for the same keys. */
  read(): Promise<string>;
}

/** @param jwks URL or file path */
export function openKeySet(jwks: string, now: () => number): KeySet {
  const origin = /^https?:/.test(jwks) ? remoteKeys(new URL(jwks)) : fileKeys(jwks);
  let known: string | undefined;
  let changes = 0;
  let lookedAt = -Infinity;
  let looking: Promise<void> | undefined;

  async function look(): Promise<void> {
    try {
      const text = await origin.read();
      if (text !== known) changes += 1;
      known = text;
    } catch {
      // Whoever brings a token that is not known yet is told.
    } finally {
      lookedAt = now();
      looking = undefined;
    }
  }

  return {
    keyOf: origin.keyOf,
    async changes(maxAgeMs) {
      const age = now() - lookedAt;
      // Early and in the background while there is traffic; only after a pause does somebody wait for it.
      if (age >= maxAgeMs / 2) looking ??= look();
      if (age >= maxAgeMs) await looking;
      return changes;
    },
  };
}

function remoteKeys(url: URL): Origin {
  const keyOf = createRemoteJWKSet(url, { cacheMaxAge: Infinity });
  return {
    keyOf,
    async read() {
      await keyOf.reload();
      return JSON.stringify(keyOf.jwks());
    },
  };
}

function fileKeys(path: string): Origin {
  let readAt = -1;
  let text = '';
  let keySet: JWTVerifyGetKey | undefined;
  const read = async (): Promise<{ text: string; keySet: JWTVerifyGetKey }> => {
    const { mtimeMs } = await stat(path);
    if (keySet === undefined || mtimeMs !== readAt) {
      text = await readFile(path, 'utf8');
      keySet = createLocalJWKSet(JSON.parse(text) as JSONWebKeySet);
      readAt = mtimeMs;
    }
    return { text, keySet };
  };
  return {
    keyOf: async (header, token) => (await read()).keySet(header, token),
    read: async () => (await read()).text,
  };
}
