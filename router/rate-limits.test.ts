// Rates: what passes, what is refused and for how long, and whose requests count together.
import { describe, expect, test } from '@jest/globals';
import type { IncomingMessage } from 'node:http';
import { CodedError } from '../service/errors.ts';
import { clientAddress, trustedProxies } from './client-address.ts';
import { createRateLimits } from './rate-limits.ts';
import type { RateLimitOptions, RateLimits } from './rate-limits.ts';

const request = (remoteAddress: string, forwarded?: string): Pick<IncomingMessage, 'headers' | 'socket'> => ({
  headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded },
  socket: { remoteAddress } as IncomingMessage['socket'],
});

function limits(options: Partial<RateLimitOptions>): { rates: RateLimits; wait(milliseconds: number): void } {
  let time = 5_000;
  const none = { perAddress: 0, perViewer: 0, burstSeconds: 1, trustedProxies: trustedProxies([]) };
  const rates = createRateLimits({ ...none, now: () => time, ...options });
  return { rates, wait: (milliseconds) => void (time += milliseconds) };
}

/** 0 when it passed, else the seconds of `retryAfter`. */
function outcome(take: () => void): unknown {
  try {
    take();
    return 0;
  } catch (error) {
    expect(error).toBeInstanceOf(CodedError);
    const { extensions } = error as CodedError;
    expect(extensions['code']).toBe('RATE_LIMITED');
    return extensions['retryAfter'];
  }
}

describe('a viewer', () => {
  test('may start as many operations at once as the burst holds, and then as the rate says', () => {
    const { rates, wait } = limits({ perViewer: 2, burstSeconds: 2 });
    const take = (): unknown => outcome(() => rates.takeFromViewer('ada'));
    expect([take(), take(), take(), take(), take()]).toEqual([0, 0, 0, 0, 1]);
    wait(500);
    expect([take(), take()]).toEqual([0, 1]);
    wait(100_000);
    expect([take(), take(), take(), take(), take()]).toEqual([0, 0, 0, 0, 1]);
  });

  test('who is refused is not put back further', () => {
    const { rates, wait } = limits({ perViewer: 1 });
    const take = (): unknown => outcome(() => rates.takeFromViewer('ada'));
    expect([take(), take(), take(), take()]).toEqual([0, 1, 1, 1]);
    wait(1_000);
    expect(take()).toBe(0);
  });

  test('does not use up what another may, and who is anonymous is not limited as one', () => {
    const { rates } = limits({ perViewer: 1 });
    expect(outcome(() => rates.takeFromViewer('ada'))).toBe(0);
    expect(outcome(() => rates.takeFromViewer('bo'))).toBe(0);
    for (let n = 0; n < 5; n += 1) expect(outcome(() => rates.takeFromViewer(undefined))).toBe(0);
  });
});

describe('an address', () => {
  test('pays for each operation of a batch, and for none when there are too many', () => {
    const { rates } = limits({ perAddress: 3 });
    expect(outcome(() => rates.takeFromAddress('10.0.0.1', 4))).toBe(1);
    expect(outcome(() => rates.takeFromAddress('10.0.0.1', 3))).toBe(0);
    expect(outcome(() => rates.takeFromAddress('10.0.0.1'))).toBe(1);
  });

  test('is not looked for when addresses are not limited', () => {
    expect(limits({}).rates.addressOf(request('10.0.0.1'))).toBeUndefined();
    expect(limits({ perAddress: 1 }).rates.addressOf(request('10.0.0.1'))).toBe('10.0.0.1');
  });

  test('is forgotten when a hundred thousand others have come since', () => {
    const { rates } = limits({ perAddress: 1 });
    for (let n = 0; n <= 100_000; n += 1) rates.takeFromAddress(`a${n}`);
    expect(outcome(() => rates.takeFromAddress('a0'))).toBe(0);
    expect(outcome(() => rates.takeFromAddress('a100000'))).toBe(1);
  });

  test.each([
    ['what a stranger says of it counts nothing', '9.9.9.9', '1.1.1.1', '9.9.9.9'],
    ['a trusted proxy is believed', '10.0.0.1', '1.1.1.1', '1.1.1.1'],
    ['several trusted proxies are passed', '10.0.0.1', '1.1.1.1, 192.168.1.1, 10.9.9.9', '1.1.1.1'],
    ['what came before the first stranger counts nothing', '10.0.0.1', '1.1.1.1, 8.8.8.8, 10.0.0.2', '8.8.8.8'],
    ['what is no address ends the search', '10.0.0.1', '1.1.1.1, unknown', '10.0.0.1'],
    ['a proxy that says nothing is the client', '10.0.0.1', undefined, '10.0.0.1'],
    ['IPv4 in IPv6 is IPv4', '::ffff:10.0.0.1', '::ffff:1.1.1.1', '1.1.1.1'],
    ['an IPv6 network is one client', '2001:db8:1:2:3:4:5:6', undefined, '2001:db8:1:2::/64'],
    ['also where zeros are left out', '2001:db8::6', undefined, '2001:db8:0:0::/64'],
    ['IPv6 proxies are trusted too', 'fd00::1', '2001:DB8:1::9', '2001:db8:1:0::/64'],
  ])('%s', (_name, remote, forwarded, address) => {
    const trusted = trustedProxies(['10.0.0.0/8', '192.168.1.1', 'fd00::/8']);
    expect(clientAddress(request(remote, forwarded), trusted)).toBe(address);
  });

  test.each(['10.0.0.0/33', 'fd00::/129', '10.0.0', 'x', '10.0.0.0/8/8', '10.0.0.0/', '10.0.0.0/-1'])(
    '%s is no range of proxies',
    (range) => {
      expect(() => trustedProxies([range])).toThrow(`"${range}" is no address and no CIDR range`);
    },
  );
});
