// `node --import` of this file runs a process of the project with `no-telemetry.ts` in the place of its telemetry.
import { registerHooks } from 'node:module';

const real = new URL('../../service/telemetry.ts', import.meta.url).href;
const none = new URL('./no-telemetry.ts', import.meta.url).href;

registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    return resolved.url === real ? { ...resolved, url: none } : resolved;
  },
});
