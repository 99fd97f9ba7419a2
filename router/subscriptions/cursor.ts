// Cursors: opaque, signed positions in a stream, good for one viewer and one subject only.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { CodedError } from '../../service/errors.ts';

/** What a cursor is good for. A cursor given for anything else is CURSOR_INVALID. */
export interface CursorScope {
  readonly stream: string;
  readonly subject: string;
  /** The `sub` of the viewer; undefined for nobody. */
  readonly viewer: string | undefined;
}

/** A place in a stream. */
export interface CursorPosition {
  /** Which making of the stream the sequence counts in. */
  readonly identity: string;
  readonly sequence: number;
}

/** A cursor that was checked. */
export interface ReadCursor {
  readonly sequence: number;
  /** Whether its sequence counts in the stream of this identity. */
  countsIn(identity: string): boolean;
}

export interface CursorCodec {
  mint(scope: CursorScope, position: CursorPosition): string;
  /** @throws CodedError CURSOR_INVALID when it was not minted for this scope with one of the secrets. */
  read(cursor: string, scope: CursorScope): ReadCursor;
}

// Layout: 1 byte version, 6 bytes of the identity's hash, 6 bytes sequence, 16 bytes HMAC over those and the scope.
const version = 1;
const identityAt = 1;
const sequenceAt = 7;
const macAt = 13;
const length = 29;

/**
 * @param secrets HMAC keys, newest first: the first signs, all are accepted, so that a key can be replaced without a cursor lost.
 * @throws Error when there is none.
 */
export function createCursorCodec(secrets: readonly string[]): CursorCodec {
  const [signing] = secrets;
  if (signing === undefined) throw new Error('Cursors need at least one secret.');

  return {
    mint(scope, { identity, sequence }) {
      const cursor = Buffer.alloc(length);
      cursor[0] = version;
      identityHash(identity).copy(cursor, identityAt);
      cursor.writeUIntBE(sequence, sequenceAt, 6);
      macOf(signing, cursor, scope).copy(cursor, macAt);
      return cursor.toString('base64url');
    },
    read(text, scope) {
      const cursor = Buffer.from(text, 'base64url');
      // Decoding forgives stray characters; only the one spelling that was minted counts.
      const wellFormed = cursor.length === length && cursor[0] === version && cursor.toString('base64url') === text;
      const mac = cursor.subarray(macAt);
      if (!wellFormed || !secrets.some((secret) => timingSafeEqual(macOf(secret, cursor, scope), mac))) {
        throw new CodedError('CURSOR_INVALID');
      }
      return {
        sequence: cursor.readUIntBE(sequenceAt, 6),
        countsIn: (identity) => identityHash(identity).equals(cursor.subarray(identityAt, sequenceAt)),
      };
    },
  };
}

function macOf(secret: string, cursor: Buffer, { stream, subject, viewer }: CursorScope): Buffer {
  return createHmac('sha256', secret)
    .update(cursor.subarray(0, macAt))
    .update(JSON.stringify(viewer === undefined ? [stream, subject] : [stream, subject, viewer]))
    .digest()
    .subarray(0, length - macAt);
}

const identityHashes = new Map<string, Buffer>();

function identityHash(identity: string): Buffer {
  let hash = identityHashes.get(identity);
  if (hash === undefined) {
    hash = createHmac('sha256', 'stream identity')
      .update(identity)
      .digest()
      .subarray(0, sequenceAt - identityAt);
    if (identityHashes.size > 1_000) identityHashes.clear();
    identityHashes.set(identity, hash);
  }
  return hash;
}
