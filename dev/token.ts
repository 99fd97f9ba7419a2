// `npm run token -- --sub alice --scope "orders:read:all" [--ttl 3600]` prints a token of the development issuer, and nothing else.
import { parseArgs } from 'node:util';
import { issuerFolder } from './folders.ts';
import { openIssuer } from './issuer.ts';

const usage = `usage: npm run --silent token -- --sub <who> [--scope "<scope> <scope>"] [--ttl <seconds>]

  --sub    the customer, rider or operator: 1 to 200 characters
  --scope  what they may do besides, space-separated: orders:read:all orders:release menus:write deliveries:read deliveries:write
  --ttl    seconds until it expires; default 3600`;

function fail(problem: string): never {
  console.error(`${problem}\n\n${usage}`);
  process.exit(2);
}

function readArguments(): { sub: string; scope: string; expiresInSeconds: number } {
  const options = {
    sub: { type: 'string' },
    scope: { type: 'string' },
    ttl: { type: 'string' },
    help: { type: 'boolean' },
  } as const;
  let values;
  try {
    ({ values } = parseArgs({ options }));
  } catch (error) {
    fail((error as Error).message);
  }
  if (values.help === true) {
    console.log(usage);
    process.exit(0);
  }
  const { sub = '', scope = '', ttl = '3600' } = values;
  if (sub === '' || sub.length > 200) fail('--sub must name who the token is for, in 1 to 200 characters.');
  if (!/^-?\d{1,9}$/.test(ttl)) fail(`--ttl must be a whole number of seconds, not "${ttl}".`);
  return { sub, scope: scope.split(/\s+/).filter(Boolean).join(' '), expiresInSeconds: Number(ttl) };
}

const claims = readArguments();
console.log(await (await openIssuer(issuerFolder)).token(claims));
