// Writes an answer that comes in pieces to a client that may read slowly, or go.
import type { Writable } from 'node:stream';

/** The same pieces, with something to do when they are over or nobody wants them any more. */
export async function* endingWith(
  pieces: AsyncIterable<string>,
  end: () => void,
): AsyncGenerator<string, void, undefined> {
  try {
    yield* pieces;
  } finally {
    end();
  }
}

/** Writes pieces as they come, no faster than the client reads, and none when it has gone. */
export async function sendPieces(response: Writable, pieces: AsyncIterable<string>): Promise<void> {
  for await (const piece of pieces) {
    if (response.destroyed) return;
    if (!response.write(piece)) await readOrGone(response);
  }
  response.end();
}

/** When the client has read on, or gone. */
function readOrGone(response: Writable): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      response.off('drain', go);
      response.off('close', go);
      resolve();
    };
    response.once('drain', go);
    response.once('close', go);
  });
}
