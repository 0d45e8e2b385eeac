import { expect, test } from 'vitest';
import { compareVersions, mergeOffers, releaseFor } from './merge-offers.ts';
import type { NodeOffers, OfferSummary } from './read-offers.ts';

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const offer = (name: string, version: string, letter: string, title = name): OfferSummary => ({
  name,
  version,
  digest: digest(letter),
  title,
  description: `${title} ${version}`,
  roles: ['destination'],
  replies: false,
  origin: 'directory',
  network: 'none',
});
const node = (id: string, liveness: NodeOffers['node']['liveness'], offers: OfferSummary[]): NodeOffers => ({
  node: { id, name: id, liveness, lastSeenAt: null },
  offers,
  problems: [],
});

test('a connector is described by the newest release of a live node, and lists every release with its nodes', () => {
  const [ftp] = mergeOffers([
    node('a', 'live', [offer('ftp', '1.9.0', 'a')]),
    node('b', 'live', [offer('ftp', '1.10.0', 'b', 'FTP')]),
    node('c', 'gone', [offer('ftp', '2.0.0', 'c', 'FTP two')]),
    node('d', 'silent', [offer('ftp', '1.9.0', 'a')]),
  ]);
  expect(ftp).toMatchObject({ title: 'FTP', description: 'FTP 1.10.0', live: true });
  expect(ftp?.releases.map(({ version, nodes }) => [version, nodes.map(({ id }) => id)])).toEqual([
    ['2.0.0', ['c']],
    ['1.10.0', ['b']],
    ['1.9.0', ['a', 'd']],
  ]);
  expect(ftp && releaseFor(ftp, undefined)?.version).toBe('1.10.0');
  expect(ftp && releaseFor(ftp, digest('c'))?.version).toBe('2.0.0');
  expect(ftp && releaseFor(ftp, digest('x'))).toBeNull();
});

test('one that only absent nodes offered stays in the list and says so', () => {
  expect(mergeOffers([node('a', 'gone', [offer('ftp', '1.0.0', 'a')])])).toMatchObject([{ name: 'ftp', live: false }]);
});

test('HTTP comes first, the others by title', () => {
  const merged = mergeOffers([node('a', 'live', [offer('b', '1', 'a', 'Zebra'), offer('c', '1', 'b', 'Ant'), offer('http', '1', 'c', 'HTTP')])]);
  expect(merged.map(({ title }) => title)).toEqual(['HTTP', 'Ant', 'Zebra']);
});

test.each([
  ['1.9.0', '1.10.0'],
  ['1.0.0-rc.2', '1.0.0-rc.10'],
  ['1.0.0-rc.1', '1.0.0'],
  ['v1.2', '1.2.1'],
  ['weird', '0.0.1'],
])('%s is older than %s', (older, newer) => {
  expect(compareVersions(older, newer)).toBeLessThan(0);
  expect(compareVersions(newer, older)).toBeGreaterThan(0);
});
