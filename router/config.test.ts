// The router's configuration: what stops it, and what the flags stand for.
import { describe, expect, test } from '@jest/globals';
import { readConfig, subgraphSettings } from './config.ts';

describe('the configuration', () => {
  test('needs keys, unless authentication is off', () => {
    expect(() => readConfig({}, [])).toThrow(/AUTH_JWKS is not set \(.*JWKS/);
    expect(readConfig({ AUTH_MODE: 'off' }, [])).toMatchObject({ ROUTER_PORT: 4000, AUTH_MODE: 'off' });
  });

  test('takes flags before variables', () => {
    const env = { AUTH_MODE: 'off', ROUTER_PORT: '1', SUPERGRAPH_FILE: 'a' };
    expect(readConfig(env, ['--port', '2', '--supergraph', 'b'])).toMatchObject({
      ROUTER_PORT: 2,
      SUPERGRAPH_FILE: 'b',
    });
    expect(() => readConfig(env, ['--prot', '2'])).toThrow(/--prot[\s\S]*Usage/);
  });

  test('collects the addresses of subgraphs', () => {
    const env = { AUTH_MODE: 'off', SUBGRAPH_URL_A: 'http://a', SUBGRAPH_URL_B_C: 'http://b', SUBGRAPH_URL_D: '' };
    expect(readConfig(env, []).subgraphUrls).toEqual({ A: 'http://a', B_C: 'http://b' });
    expect(() => readConfig({ ...env, SUBGRAPH_URL_A: 'a' }, [])).toThrow(/SUBGRAPH_URL_A is no URL: a/);
  });

  test('names the labels of overrides that hold', () => {
    const env = { AUTH_MODE: 'off' };
    expect(readConfig(env, []).OVERRIDE_LABELS).toEqual([]);
    expect(readConfig({ ...env, OVERRIDE_LABELS: 'team/a, percent(5)' }, []).OVERRIDE_LABELS).toEqual([
      'team/a',
      'percent(5)',
    ]);
  });

  test('names the headers that go on, and none that cannot', () => {
    const env = { AUTH_MODE: 'off' };
    expect(readConfig(env, []).FORWARD_HEADERS).toEqual([]);
    expect(readConfig({ ...env, FORWARD_HEADERS: 'Cookie, x-tenant' }, []).FORWARD_HEADERS).toEqual([
      'cookie',
      'x-tenant',
    ]);
    expect(() => readConfig({ ...env, FORWARD_HEADERS: 'x-a,Connection' }, [])).toThrow(
      /FORWARD_HEADERS "connection" is the router's own .*\(headers of a request/,
    );
  });

  test('may be different for one subgraph', () => {
    const env = {
      AUTH_MODE: 'off',
      SUBGRAPH_TIMEOUT_MS: '900',
      SUBGRAPH_TIMEOUT_MS_MY_PAYMENTS: '300',
      SUBGRAPH_QUEUE: '70',
      SUBGRAPH_QUEUE_X: '',
    };
    const config = readConfig(env, []);
    expect(subgraphSettings(config, 'my-payments')).toMatchObject({ SUBGRAPH_TIMEOUT_MS: 300, SUBGRAPH_RETRIES: 1 });
    expect(subgraphSettings(config, 'x')).toMatchObject({ SUBGRAPH_TIMEOUT_MS: 900, SUBGRAPH_QUEUE: 70 });
    expect(() => readConfig({ ...env, SUBGRAPH_RETRIES_X: '99' }, [])).toThrow(/SUBGRAPH_RETRIES_X must be at most 10/);
  });

  test('names every problem at once, with its meaning', () => {
    const env = {
      AUTH_MODE: 'maybe',
      ROUTER_PORT: 'x',
      LIMIT_DEPTH: '0',
      SUBGRAPH_URL_A: 'a',
      SUBGRAPH_RETRIES_X: '99',
    };
    const all = [/ROUTER_PORT must be/, /AUTH_MODE must be jwks or off/, /LIMIT_DEPTH must be at least 1/];
    const more = [/AUTH_JWKS is not set/, /SUBGRAPH_URL_A is no URL: a/, /SUBGRAPH_RETRIES_X must be at most 10/];
    const problems = new RegExp([...all, ...more].map(({ source }) => `\\n  ${source}.*`).join(''));
    expect(() => readConfig(env, [])).toThrow(problems);
  });
});
