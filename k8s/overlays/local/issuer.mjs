// The issuer of tokens for development in Compose and in a local cluster; needs nothing but Node. Production has a real one.
//   node issuer.mjs serve                                       serves the public key at :8080/jwks.json
//   node issuer.mjs --sub alice [--scope "a b"] [--ttl 3600]    prints a token
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const keyFile = join(process.env.ISSUER_FOLDER ?? '/keys', 'private.pem');

/** The key pair, made when there is none yet. */
function openKey() {
  try {
    return createPrivateKey(readFileSync(keyFile));
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeFileSync(keyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' });
    return privateKey;
  }
}

const key = openKey();
const jwk = createPublicKey(key).export({ format: 'jwk' });
const kid = createHash('sha256').update(`${jwk.x}.${jwk.y}`).digest('base64url');
const base64url = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

function token({ sub, scope, ttl }) {
  const now = Math.floor(Date.now() / 1000);
  const claims = { sub, scope, iss: 'baedal-development', aud: 'baedal', iat: now, exp: now + Number(ttl) };
  const signed = `${base64url({ alg: 'ES256', kid })}.${base64url(claims)}`;
  return `${signed}.${sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

if (process.argv[2] === 'serve') {
  const body = JSON.stringify({ keys: [{ ...jwk, kid, alg: 'ES256', use: 'sig' }] });
  const server = createServer((request, response) => {
    const found = request.url === '/jwks.json';
    response.writeHead(found ? 200 : 404, { 'content-type': 'application/json' }).end(found ? body : '{}');
  });
  server.listen(8080, '0.0.0.0', () => console.log('issuer listens on 8080'));
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));
} else {
  const options = { sub: { type: 'string' }, scope: { type: 'string' }, ttl: { type: 'string', default: '3600' } };
  const { values } = parseArgs({ options });
  if (!values.sub) throw new Error('usage: node issuer.mjs --sub <who> [--scope "<scope> <scope>"] [--ttl <seconds>]');
  console.log(token(values));
}
