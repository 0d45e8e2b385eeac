import { wordsOf } from '../settings/words-of.ts';
import type { ConnectorSummary, ReleaseView } from '../types.ts';
import type { NodeOffers, OfferSummary } from './read-offers.ts';

/** A connector as the pool offers it: in the words of its newest release, those of live nodes first. */
export type MergedConnector = Omit<ConnectorSummary, 'processes' | 'pipelines'>;

/** What all nodes of a pool offer, as one list: HTTP first, the others by title. */
export function mergeOffers(nodes: NodeOffers[]): MergedConnector[] {
  const byName = new Map<string, { offer: OfferSummary; node: NodeOffers['node'] }[]>();
  for (const { node, offers } of nodes) for (const offer of offers) byName.set(offer.name, [...(byName.get(offer.name) ?? []), { offer, node }]);
  return [...byName.values()]
    .map(merge)
    .sort((a, b) => Number(b.name === 'http') - Number(a.name === 'http') || a.title.localeCompare(b.title, 'en') || (a.name < b.name ? -1 : 1));
}

function merge(offered: { offer: OfferSummary; node: NodeOffers['node'] }[]): MergedConnector {
  const live = offered.filter(({ node }) => node.liveness === 'live');
  const [newest] = (live.length > 0 ? live : offered).toSorted((a, b) => compareVersions(b.offer.version, a.offer.version));
  if (!newest) throw new Error('bug: a connector that nobody offers');
  const { name, title, description, roles, origin, network, replies } = newest.offer;
  return {
    name,
    title: title || (name === 'http' ? 'HTTP' : wordsOf(name)),
    description,
    roles,
    origin,
    network,
    replies,
    live: live.length > 0,
    releases: releasesOf(offered),
  };
}

function releasesOf(offered: { offer: OfferSummary; node: NodeOffers['node'] }[]): ReleaseView[] {
  const byDigest = new Map<string, ReleaseView>();
  for (const { offer, node } of offered) {
    const release = byDigest.get(offer.digest) ?? { version: offer.version, digest: offer.digest, nodes: [] };
    release.nodes.push({ id: node.id, name: node.name, liveness: node.liveness });
    byDigest.set(offer.digest, release);
  }
  return [...byDigest.values()].sort((a, b) => compareVersions(b.version, a.version) || (a.digest < b.digest ? -1 : 1));
}

/** By the numbers of a semantic version; a pre-release comes before its release. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [partsOf(a), partsOf(b)];
  for (const [i, number] of left.numbers.entries()) if (number !== right.numbers[i]) return number - (right.numbers[i] ?? 0);
  if ((left.rest === '') !== (right.rest === '')) return left.rest === '' ? 1 : -1;
  return left.rest.localeCompare(right.rest, 'en', { numeric: true });
}

function partsOf(version: string): { numbers: number[]; rest: string } {
  const match = /^v?(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?(?:-([^+]*))?/.exec(version);
  return { numbers: [1, 2, 3].map((group) => Number(match?.[group] ?? 0)), rest: match ? (match[4] ?? '') : version };
}

/** The release that a part with this pin runs: that one, or the newest that a live node has, else the newest of all. */
export function releaseFor(connector: Pick<MergedConnector, 'releases'>, pinned: string | undefined): ReleaseView | null {
  if (pinned !== undefined) return connector.releases.find((release) => release.digest === pinned) ?? null;
  return connector.releases.find((release) => release.nodes.some((node) => node.liveness === 'live')) ?? connector.releases[0] ?? null;
}
