// Who is asking: verifies bearer tokens (JWT, RFC 7519) against a JWKS. The router and every subgraph call this for themselves.
import { errors as joseErrors, jwtVerify } from 'jose';
import { CodedError } from './errors.ts';
import { openKeySet } from './key-set.ts';

/** A verified token. */
export interface Viewer {
  /** The `sub` claim: the customer, rider or operator. */
  readonly sub: string;
  readonly scopes: ReadonlySet<string>;
  /** The `exp` claim, in milliseconds since the epoch. */
  readonly expiresAt: number;
  /** The token as it came, to be handed on to subgraphs. */
  readonly token: string;
}

export interface IdentityOptions {
  /** URL or file path of a JWKS. Both are read again when a token names a key that is not in it (rotation). */
  readonly jwks: string;
  /** Milliseconds after which a key that was taken out of the JWKS is accepted no more. Default: a minute. */
  readonly refreshMs?: number;
  readonly issuer: string;
  readonly audience: string;
  /** For tests: the clock, in milliseconds since the epoch. */
  readonly now?: () => number;
}

/**
 * Gives the viewer of an `Authorization` header; `undefined` when there is no header.
 * @throws CodedError UNAUTHENTICATED when there is one and it does not hold: malformed, unknown key, expired, foreign.
 */
export type VerifyIdentity = (authorization: string | undefined) => Promise<Viewer | undefined>;

export interface Identity {
  readonly verify: VerifyIdentity;
  /** Calls `listener` when keys have changed: what was verified before may not hold any more. Returns how to stop. */
  onKeysChanged(listener: () => void): () => void;
}

/** Knows nobody: for a router that looks at no token. */
export const noIdentity: Identity = {
  verify: () => Promise.resolve(undefined),
  onKeysChanged: () => () => undefined,
};

/** How many verified tokens are remembered, so that a busy client costs one signature check and not one a request. */
const rememberedTokens = 10_000;
const maxTokenLength = 8_192;
/** What jose says when the key set is at fault: no answer in time, an answer other than 200, no key set. */
const keysUnreadable: ReadonlySet<string> = new Set([
  joseErrors.JWKSTimeout.code,
  joseErrors.JWKSInvalid.code,
  joseErrors.JOSEError.code,
]);

export function createIdentity(options: IdentityOptions): Identity {
  const { refreshMs = 60_000, now = Date.now } = options;
  const keys = openKeySet(options.jwks, now);
  const remembered = new Map<string, Viewer>();
  /** What is remembered was verified with the keys as they were after so many changes. */
  let changesSeen = 0;

  async function forgetIfKeysChanged(maxAgeMs: number): Promise<void> {
    const changes = await keys.changes(maxAgeMs);
    if (changes !== changesSeen) remembered.clear();
    changesSeen = changes;
  }

  return {
    async verify(authorization) {
      if (authorization === undefined || authorization === '') return undefined;
      const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
      if (token === undefined || token.length > maxTokenLength) {
        throw new CodedError('UNAUTHENTICATED', 'The authorization header must read "Bearer <token>".');
      }
      await forgetIfKeysChanged(refreshMs);
      const known = remembered.get(token);
      if (known !== undefined && known.expiresAt > now()) return known;
      remembered.delete(token);

      const before = changesSeen;
      const viewer = await check(token);
      // Else the keys that it was checked with may be gone already.
      if (before !== changesSeen) return viewer;
      if (remembered.size >= rememberedTokens) remembered.delete(remembered.keys().next().value ?? '');
      remembered.set(token, viewer);
      return viewer;
    },

    onKeysChanged(listener) {
      let seen = changesSeen;
      const timer = setInterval(() => {
        void forgetIfKeysChanged(0).then(() => {
          if (seen === changesSeen) return;
          seen = changesSeen;
          listener();
        });
      }, refreshMs / 2).unref();
      return () => clearInterval(timer);
    },
  };

  async function check(token: string): Promise<Viewer> {
    try {
      const { payload } = await jwtVerify(token, keys.keyOf, {
        issuer: options.issuer,
        audience: options.audience,
        requiredClaims: ['sub', 'exp'],
        algorithms: ['ES256', 'ES384', 'EdDSA', 'RS256', 'PS256'],
        currentDate: new Date(now()),
      });
      const { sub, exp, scope } = payload;
      if (sub === undefined || sub === '' || sub.length > 200 || exp === undefined) {
        throw new CodedError('UNAUTHENTICATED', 'The token must name a subject of 1 to 200 characters and an expiry.');
      }
      const scopes = new Set(typeof scope === 'string' ? scope.split(' ').filter((one) => one !== '') : []);
      return { sub, scopes, expiresAt: exp * 1000, token };
    } catch (error) {
      if (error instanceof CodedError) throw error;
      if (error instanceof joseErrors.JWTExpired) throw new CodedError('UNAUTHENTICATED', 'The token has expired.');
      if (!(error instanceof joseErrors.JOSEError) || keysUnreadable.has(error.code)) {
        throw new CodedError(
          'SERVICE_UNAVAILABLE',
          'The keys that tokens are checked against cannot be read.',
          {},
          error,
        );
      }
      throw new CodedError('UNAUTHENTICATED', 'The token is not valid here.');
    }
  }
}

/** The viewer, or UNAUTHENTICATED when nobody signed in. */
export function requireViewer(viewer: Viewer | undefined): Viewer {
  if (viewer === undefined) throw new CodedError('UNAUTHENTICATED');
  return viewer;
}
