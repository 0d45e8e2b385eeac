import { setTimeout as delay } from 'node:timers/promises';
import type { ConnectorManifest } from '@vrsky/contracts/connector-manifest';
import { limits } from '@vrsky/contracts/limits';
import { type ConnectorOffer, connectorOfferSchema, type Offers } from '@vrsky/contracts/node-status';
import { describeError } from '@vrsky/kernel/errors';
import type { Part } from '@vrsky/kernel/lifecycle';
import type { Log } from '@vrsky/kernel/log';
import semver from 'semver';
import { z } from 'zod';
import type { ConnectorDescription } from './connector-session.ts';
import { type DirectoryListing, followPlugins, type PluginFile } from './plugin-directory.ts';
import type { Release, ReleaseStore } from './release-store.ts';

/** A connector that this node can run. */
export interface InstalledConnector {
  readonly offer: ConnectorOffer;
  readonly release: Release;
  readonly manifest: ConnectorManifest;
}

/** What connectors a node has: those it comes with, and those in its plugin directory. */
export interface ConnectorCatalog extends Part {
  /** The newest release of a connector, or the one with this digest, also when its file has gone from the directory meanwhile. */
  find(connector: string, digest?: string): InstalledConnector | null;
  /** Adds a connector that the node comes with, or its newer description. */
  addBuiltIn(description: ConnectorDescription, digest: string): void;
  offers(): Pick<Offers, 'connectors' | 'problems'>;
  /** Called after every change of what is offered. */
  onChange(listener: () => void): void;
}

export interface CatalogOptions {
  /** Null: no directory, only what the node comes with. */
  dir: string | null;
  store: ReleaseStore;
  /** Names of the connectors that the node comes with: nothing in the directory may take their place. */
  builtIn: readonly string[];
  /** Starts a release, asks it what it is, and ends it. */
  describe(release: Release, manifest: ConnectorManifest): Promise<ConnectorDescription>;
  log: Log;
}

const noNetwork: ConnectorManifest = { network: 'direct', env: {} };

export function createConnectorCatalog({ dir, store, builtIn, describe, log }: CatalogOptions): ConnectorCatalog {
  const ended = new AbortController();
  const listeners: (() => void)[] = [];
  /** What was ever looked at, by digest and manifest: a file that comes back, or is only touched, is not started again. */
  const known = new Map<string, InstalledConnector>();
  const builtInOffers = new Map<string, ConnectorOffer>();
  let installed = new Map<string, InstalledConnector>();
  let problems: Offers['problems'] = [];
  let following: Promise<void> = Promise.resolve();

  const take = async ({ file, manifest }: PluginFile): Promise<InstalledConnector> => {
    const release = await store.admit(file);
    const key = `${release.digest} ${JSON.stringify(manifest)}`;
    const found = known.get(key);
    if (found !== undefined) return found;
    const connector: InstalledConnector = { offer: toOffer(await describe(release, manifest), release.digest, manifest), release, manifest };
    known.set(key, connector);
    return connector;
  };

  const update = async (listing: DirectoryListing): Promise<void> => {
    const next = new Map<string, InstalledConnector>();
    const found: Offers['problems'] = [...listing.problems];
    for (const plugin of listing.plugins) {
      const name = plugin.file.slice(plugin.file.lastIndexOf('/') + 1);
      try {
        const connector = await take(plugin);
        const rival = next.get(connector.offer.name);
        const why = refusal(connector, rival, builtIn);
        if (why !== null) found.push({ file: name, reason: why });
        // Of several releases the newest is offered; the others can be asked for by their digest.
        else if (rival === undefined || semver.gt(connector.offer.version, rival.offer.version)) next.set(connector.offer.name, connector);
      } catch (error) {
        if (ended.signal.aborted) return;
        log.warn({ file: plugin.file, err: error }, 'a file in the plugin directory is no connector');
        found.push({ file: name, reason: reasonOf(error) });
      }
    }
    installed = next;
    problems = found.slice(0, limits.connectorsPerNodeMax);
    log.info(
      { connectors: [...next.values()].map(({ offer }) => `${offer.name} ${offer.version}`), problems: problems.length },
      'the connectors in the plugin directory were read',
    );
    for (const listener of listeners) listener();
  };

  return {
    name: 'connector catalog',
    /** Ready once the directory was read for the first time, so that a node starts with what it has. */
    async start(stop) {
      if (dir === null) return;
      const first = Promise.withResolvers<void>();
      following = followPlugins(dir, (listing) => update(listing).finally(() => first.resolve()), ended.signal, log).finally(() => first.resolve());
      await Promise.race([first.promise, delay(FIRST_READ_MS, undefined, { signal: stop, ref: false }).catch(() => undefined)]);
    },
    find(connector, digest) {
      const newest = installed.get(connector);
      if (digest === undefined || newest?.offer.digest === digest) return newest ?? null;
      return [...known.values()].find(({ offer }) => offer.name === connector && offer.digest === digest) ?? null;
    },
    addBuiltIn(description, digest) {
      const before = builtInOffers.get(description.name);
      const roles = [...new Set([...(before?.roles ?? []), ...description.roles])];
      const replies = description.replies || (before?.replies ?? false);
      const settingsSchemas = {
        source: description.settingsSchemas.source || before?.settingsSchemas.source || '',
        destination: description.settingsSchemas.destination || before?.settingsSchemas.destination || '',
      };
      const offer = { ...toOffer({ ...description, roles, settingsSchemas, replies }, digest, noNetwork), origin: 'built-in' as const };
      if (JSON.stringify(offer) === JSON.stringify(before)) return;
      builtInOffers.set(description.name, offer);
      for (const listener of listeners) listener();
    },
    offers: () => ({
      connectors: [...builtInOffers.values(), ...[...installed.values()].map(({ offer }) => offer)].slice(0, limits.connectorsPerNodeMax),
      problems,
    }),
    onChange(listener) {
      listeners.push(listener);
    },
    async [Symbol.asyncDispose]() {
      ended.abort();
      await following;
    },
  };
}
/** Connectors that take longer to say what they are come later. */
const FIRST_READ_MS = 15_000;

/** Throws an error with a sentence when the description is not one. */
function toOffer(description: ConnectorDescription, digest: string, manifest: ConnectorManifest): ConnectorOffer {
  const offer = { ...description, digest, origin: 'directory' as const, network: manifest.network };
  if (semver.valid(description.version) === null) throw new TypeError(`its version ${JSON.stringify(description.version)} is not a semantic version`);
  for (const [role, text] of Object.entries(description.settingsSchemas)) if (text !== '') checkSchema(role, text);
  const parsed = connectorOfferSchema.safeParse(offer);
  if (!parsed.success) throw new TypeError(`what it says about itself is not right: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

function checkSchema(role: string, text: string): void {
  let schema: unknown;
  try {
    schema = JSON.parse(text);
  } catch {
    throw new TypeError(`its schema of ${role} settings is not JSON`);
  }
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) throw new TypeError(`its schema of ${role} settings is not an object`);
}

/** Why a connector cannot be offered beside the others; null when it can. */
function refusal({ offer }: InstalledConnector, rival: InstalledConnector | undefined, builtIn: readonly string[]): string | null {
  if (builtIn.includes(offer.name)) return `The name ${offer.name} belongs to a connector that comes with the node.`;
  if (rival === undefined || rival.offer.digest === offer.digest) return null;
  if (semver.compare(offer.version, rival.offer.version) !== 0) return null;
  return `Another file is ${offer.name} ${offer.version}, too, with other content. Give each release its own version.`;
}

function reasonOf(error: unknown): string {
  return `It does not work as a connector: ${describeError(error)}`.slice(0, 1_000);
}
