// The folders that development uses.
import { accessSync, constants } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** The root of the checkout. */
export const root = dirname(import.meta.dirname);

/** What a run leaves for the next one. */
export const dataFolder = join(root, '.data');

/** The development issuer's keys. They outlive `npm start -- --fresh`, so that tokens stay good. */
export const issuerFolder = join(dataFolder, 'issuer');

/** What may be thrown away at any time and costs only the time to make it again. In a checkout of another user, elsewhere. */
export const cacheFolder = isWritable(join(dataFolder, 'cache'))
  ? join(dataFolder, 'cache')
  : join(tmpdir(), `baedal-cache-${String(process.getuid?.() ?? 0)}`);

/** Whether `path` is a folder that can be written to, or can be made. */
function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' && path !== root && isWritable(dirname(path));
  }
}
