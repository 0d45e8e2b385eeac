import { BlockList, isIP } from 'node:net';

/**
 * Addresses no customer's request may reach: ourselves, private and provider-internal networks, cloud metadata, and every form in
 * which an IPv4 address can hide in an IPv6 one (mapped, compatible, translated, 6to4, Teredo, NAT64, ISATAP). By range, not by name.
 */
const forbidden = { 4: new BlockList(), 6: new BlockList() };
const ipv4: [string, number][] = [
  ['0.0.0.0', 8], // this network
  ['10.0.0.0', 8],
  ['100.64.0.0', 10], // carrier-grade NAT
  ['127.0.0.0', 8],
  ['169.254.0.0', 16], // link-local, cloud metadata
  ['172.16.0.0', 12],
  ['192.0.0.0', 24], // protocol assignments
  ['192.0.2.0', 24], // documentation
  ['192.88.99.0', 24], // 6to4 relays
  ['192.168.0.0', 16],
  ['198.18.0.0', 15], // benchmarks
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4], // multicast
  ['240.0.0.0', 4], // reserved, broadcast
];
const ipv6: [string, number][] = [
  ['::', 96], // unspecified, loopback, IPv4-compatible
  ['::ffff:0:0', 96], // IPv4-mapped: also the public ones, which nobody needs in this form
  ['::ffff:0:0:0', 96], // IPv4-translated
  ['64:ff9b::', 96], // NAT64
  ['64:ff9b:1::', 48],
  ['100::', 64], // discard
  ['2001::', 23], // Teredo, ORCHID and other protocol assignments
  ['2001:db8::', 32],
  ['2002::', 16], // 6to4
  ['3fff::', 20], // documentation
  ['5f00::', 16], // segment routing
  ['fc00::', 7], // unique local, cloud metadata
  ['fe80::', 10], // link-local
  ['fec0::', 10],
  ['ff00::', 8], // multicast
];
// Two lists: in one, an IPv4 address would be looked for in its mapped form, and ::ffff:0:0/96 has them all.
for (const [net, prefix] of ipv4) forbidden[4].addSubnet(net, prefix, 'ipv4');
for (const [net, prefix] of ipv6) forbidden[6].addSubnet(net, prefix, 'ipv6');

/** What is not an address is forbidden too. */
export function isForbiddenAddress(address: string): boolean {
  const bare = address.split('%', 1)[0] as string; // without an interface, as in fe80::1%eth0
  const family = isIP(bare);
  if (family === 4) return forbidden[4].check(bare, 'ipv4');
  return family !== 6 || forbidden[6].check(bare, 'ipv6') || isIsatap(bare);
}

/** ISATAP (RFC 5214) has an IPv4 address behind 0:5efe or 200:5efe, whatever the network in front. A tunnel of that kind leads inside by design. */
function isIsatap(address: string): boolean {
  const groups = expand(address);
  return (groups[4] === 0 || groups[4] === 0x200) && groups[5] === 0x5efe;
}

/** The eight groups of a valid IPv6 address. */
function expand(address: string): number[] {
  const [, head = '', dotted] = /^(.*?)((?:\d+\.){3}\d+)?$/.exec(address) ?? [];
  const bytes = (dotted ?? '').split('.').map(Number);
  const plain =
    dotted === undefined
      ? head
      : `${head}${(((bytes[0] as number) << 8) | (bytes[1] as number)).toString(16)}:${(((bytes[2] as number) << 8) | (bytes[3] as number)).toString(16)}`;
  const [left = '', right] = plain.split('::');
  const parse = (text: string): number[] => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)));
  const before = parse(left);
  if (right === undefined) return before;
  const after = parse(right);
  return [...before, ...Array(8 - before.length - after.length).fill(0), ...after];
}
