// Which requests count as sent by a page of another site.
import { describe, expect, test } from '@jest/globals';
import type { IncomingHttpHeaders } from 'node:http';
import { isCrossSite } from './csrf.ts';

const host = 'api.example:4000';
const from = (headers: IncomingHttpHeaders, ...origins: string[]): boolean =>
  isCrossSite({ headers: { host, ...headers } }, new Set(origins));

describe('a request is taken to come from a page elsewhere', () => {
  test.each<[string, IncomingHttpHeaders]>([
    ['when the browser says so', { 'sec-fetch-site': 'cross-site' }],
    ['also from another port or subdomain', { 'sec-fetch-site': 'same-site', origin: 'http://api.example:1' }],
    ['when its origin is another', { origin: 'http://evil.example' }],
    ['when its origin is hidden', { origin: 'null' }],
    [
      'whatever its body, if a form can send it',
      { origin: 'http://evil.example', 'content-type': 'text/plain;charset=utf-8' },
    ],
    ['also when a header that needs a preflight is empty', { 'sec-fetch-site': 'cross-site', authorization: '' }],
  ])('%s', (_name, headers) => {
    expect(from(headers)).toBe(true);
  });
});

describe('a request is let through', () => {
  test.each<[string, IncomingHttpHeaders]>([
    ['of a page of this server', { 'sec-fetch-site': 'same-origin' }],
    ['of the address bar', { 'sec-fetch-site': 'none' }],
    ['of this origin, where the browser says no more', { origin: `http://${host}` }],
    ['of no browser', {}],
    ['that had to be asked for', { 'sec-fetch-site': 'cross-site', 'apollo-require-preflight': 'true' }],
    ['that brings a token', { 'sec-fetch-site': 'cross-site', authorization: 'Bearer x' }],
    ['whose body no form can send', { 'sec-fetch-site': 'cross-site', 'content-type': 'application/json' }],
  ])('%s', (_name, headers) => {
    expect(from(headers)).toBe(false);
  });

  test('of a page that may call', () => {
    const headers = { 'sec-fetch-site': 'cross-site', origin: 'https://shop.example' };
    expect([from(headers), from(headers, 'https://shop.example'), from(headers, '*')]).toEqual([true, false, false]);
  });
});
