// Watches a text file, a supergraph or a list of operations, for new content, however it comes: written in place, renamed over (as editors and deploys do), or by
// a symlink that is swapped above it (as Kubernetes updates a ConfigMap). What the content means is not known here.
import { readFileSync, watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface TextFileOptions {
  readonly path: string;
  /** What is known of it already. */
  readonly content: string;
  /** Milliseconds between two looks at the file, for changes that the system does not announce. */
  readonly pollMs: number;
  /** Told each new content, one after the other. */
  readonly onContent: (content: string) => void;
  /** Told when the file cannot be read, once until it can be again. */
  readonly onUnreadable: (error: unknown) => void;
}

/** Milliseconds without a further announcement after which the file is read: whoever writes it in place needs a moment. */
const settleMs = 100;
/** For no longer than that is the reading put off: something else in the folder may change all the time. */
const maxSettleMs = 1_000;

/** @throws Error when the file cannot be read */
export function readTextFile(path: string): string {
  return readFileSync(path, 'utf8');
}

/** @returns how to stop. */
export function watchTextFile(options: TextFileOptions): () => void {
  const { path, pollMs, onContent, onUnreadable } = options;
  let known: string | undefined = options.content;
  let stopped = false;
  let settling: NodeJS.Timeout | undefined;
  let latest: NodeJS.Timeout | undefined;

  const look = async (): Promise<void> => {
    let content: string | undefined;
    let problem: unknown;
    try {
      content = await readFile(path, 'utf8');
    } catch (error) {
      problem = error;
    }
    if (stopped || content === known) return;
    known = content;
    if (content === undefined) onUnreadable(problem);
    else onContent(content);
  };

  let looking = Promise.resolve();
  const lookNow = (): void => {
    clearTimeout(settling);
    clearTimeout(latest);
    settling = undefined;
    looking = looking.then(look);
  };
  const lookSoon = (): void => {
    if (settling !== undefined) return void settling.refresh();
    settling = setTimeout(lookNow, settleMs);
    latest = setTimeout(lookNow, maxSettleMs);
  };
  const watcher = watchFolder(dirname(path), lookSoon);
  const polling = setInterval(lookSoon, pollMs);
  polling.unref();
  // What has changed before the watching began is noticed now.
  lookSoon();

  return () => {
    stopped = true;
    watcher?.close();
    clearInterval(polling);
    clearTimeout(settling);
    clearTimeout(latest);
  };
}

/** The folder, not the file: a rename gives the name to another file. Undefined where nothing can be watched; then polling has to do. */
function watchFolder(folder: string, onChange: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(folder, { persistent: false }, onChange);
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}
