// The folders that development uses.
import { dirname, join } from 'node:path';

/** The root of the checkout. */
export const root = dirname(import.meta.dirname);

/** What a run leaves for the next one. */
export const dataFolder = join(root, '.data');

/** What may be thrown away at any time and costs only the time to make it again. */
export const cacheFolder = join(dataFolder, 'cache');

/** The development issuer's keys. They outlive `npm start -- --fresh`, so that tokens stay good. */
export const issuerFolder = join(dataFolder, 'issuer');
