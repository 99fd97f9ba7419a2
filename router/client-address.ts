// Which address a request comes from, when proxies stand in between: `x-forwarded-for` is believed from trusted proxies only.
import type { IncomingMessage } from 'node:http';
import { BlockList, isIP, isIPv6 } from 'node:net';

/** @param ranges addresses and CIDR ranges. @throws Error naming the first that is neither */
export function trustedProxies(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', length, ...rest] = range.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    const bits = length === undefined ? undefined : Number(length);
    const most = family === 'ipv6' ? 128 : 32;
    const isRange = bits === undefined || (/^\d+$/.test(length ?? '') && bits <= most);
    if (isIP(address) === 0 || !isRange || rest.length > 0)
      throw new Error(`"${range}" is no address and no CIDR range`);
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, bits, family);
  }
  return list;
}

/** The nearest address that is no trusted proxy; of IPv6 the network (/64), as every host of one has countless addresses. */
export function clientAddress(request: Pick<IncomingMessage, 'headers' | 'socket'>, trusted: BlockList): string {
  const forwarded = request.headers['x-forwarded-for'];
  // The nearest comes last.
  const hops = (typeof forwarded === 'string' ? forwarded : '').split(',').reverse();
  let address = plain(request.socket.remoteAddress ?? '');
  for (const hop of hops) {
    if (!trusted.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')) break;
    const next = plain(hop.trim());
    if (isIP(next) === 0) break;
    address = next;
  }
  return isIPv6(address) ? network(address) : address;
}

/** Sockets that take both families show IPv4 addresses as IPv6. */
const plain = (address: string): string => address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '');

/** The first four groups of eight. */
function network(address: string): string {
  const [head = '', tail] = address.toLowerCase().split('%', 1).join('').split('::');
  const first = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - first.length - last.length);
  const groups = [...first, ...Array.from({ length: zeros }, () => '0'), ...last];
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
}
