import type { Connection, ConnectionErrors } from '@vrsky/sdk/connector';
import { type Authenticator, findHeader, type RawHeaders, UnusableSecret } from './auth/authenticator.ts';
import { createAuthenticator } from './auth/create-authenticator.ts';
import type { KeyFetching } from './auth/json-web-token.ts';
import type { SeenBook, SeenIds } from './seen-ids.ts';
import type { SourceSettings } from './settings.ts';
import { createTokenBucket, type TokenBucket } from './token-bucket.ts';

/** One connection, ready to take requests. */
export interface Route {
  connectionId: string;
  methods: ReadonlySet<string>;
  subpaths: boolean;
  /** Null: any. */
  contentTypes: readonly string[] | null;
  /** Null: whoever knows the URL can send. */
  authenticator: Authenticator | null;
  bucket: TokenBucket | null;
  /** Null: what comes again is a message again. */
  seen: SeenIds | null;
  /** The sender's id of a message; empty when it has none. */
  idOf(headers: RawHeaders, payload: Uint8Array): string;
  split: SourceSettings['split'];
  answer: SourceSettings['answer'];
  /** A sender waits so long for what the pipeline makes of its message; 0: it is answered once that is stored. */
  replyWithinMs: number;
  limits: SourceSettings['limits'];
}

export interface RouteTable {
  /** By path, and a row for each connection that cannot be used. How many requests came is kept over changes. */
  build(connections: readonly Connection<SourceSettings, 'source'>[]): { routes: Map<string, Route>; errors: ConnectionErrors[] };
}

export function createRouteTable(keyFetching: KeyFetching, book: SeenBook): RouteTable {
  let kept = new Map<string, Kept>();
  return {
    build(connections) {
      const routes = new Map<string, Route>();
      const errors: ConnectionErrors[] = [];
      const next = new Map<string, Kept>();
      for (const connection of connections) {
        const { connectionId, settings } = connection;
        if (routes.has(settings.path)) {
          errors.push({ connectionId, errors: [{ path: '/path', message: 'Another source has this path.' }] });
          continue;
        }
        const keep = kept.get(connectionId) ?? new Map();
        next.set(connectionId, keep);
        try {
          routes.set(settings.path, toRoute(connection, { keyFetching, book, kept: keep }));
        } catch (error) {
          if (!(error instanceof UnusableSecret)) throw error;
          errors.push({ connectionId, errors: [{ path: error.path, message: error.message }] });
        }
      }
      kept = next;
      book.divide(new Set([...routes.values()].flatMap(({ seen }) => seen ?? [])));
      return { routes, errors };
    },
  };
}

/** What one connection has that lives longer than a configuration, by the settings that it was made from. */
type Kept = Map<string, { from: string; made: unknown }>;

function keep<T>(kept: Kept, name: string, from: object, make: () => T): T {
  const text = JSON.stringify(from);
  const known = kept.get(name);
  if (known?.from === text) return known.made as T;
  const made = make();
  kept.set(name, { from: text, made });
  return made;
}

interface RouteNeeds {
  keyFetching: KeyFetching;
  book: SeenBook;
  kept: Kept;
}

function toRoute(connection: Connection<SourceSettings, 'source'>, { keyFetching, book, kept }: RouteNeeds): Route {
  const { connectionId, settings } = connection;
  const { auth, deduplicate, limits } = settings;
  // Its keys are fetched ones, and stay; the others are made of secrets, which may have changed.
  const make = (): Authenticator | null => createAuthenticator(auth, connection.secret, keyFetching);
  const authenticator = auth.scheme === 'jwt' ? keep(kept, 'auth', auth, make) : make();
  const { perSecond } = limits;
  const idOf = idReaderOf(deduplicate, authenticator);
  return {
    connectionId,
    methods: new Set(settings.methods),
    subpaths: settings.subpaths,
    contentTypes: settings.contentTypes.length === 0 ? null : settings.contentTypes,
    authenticator,
    bucket:
      perSecond === undefined
        ? null
        : keep(kept, 'bucket', { perSecond, burst: limits.burst }, () =>
            createTokenBucket({ perSecond, burst: limits.burst ?? Math.max(1, Math.ceil(perSecond)) }),
          ),
    seen:
      idOf === null
        ? null
        : book.open({ connectionId, kind: `${deduplicate.by} ${deduplicate.header?.toLowerCase() ?? ''}` }, deduplicate.windowSeconds * 1_000),
    idOf: idOf ?? (() => ''),
    split: settings.split,
    answer: settings.answer,
    // A body of many messages has no one result; such a connection is refused where its settings are checked.
    replyWithinMs: settings.split === 'no' ? connection.replyWithinMs : 0,
    limits,
  };
}

const ID_CHARS_MAX = 256;

function idReaderOf({ by, header }: SourceSettings['deduplicate'], authenticator: Authenticator | null): Route['idOf'] | null {
  if (by === 'scheme') return authenticator?.idOf ?? null;
  if (by === 'nothing' || header === undefined) return null;
  const name = header.toLowerCase();
  return (headers) => {
    const id = findHeader(headers, name) ?? '';
    return id.length <= ID_CHARS_MAX ? id : '';
  };
}

/** Whether a content type is on a connection's list, its parameters left aside. */
export function isTaken(contentTypes: readonly string[], contentType: string): boolean {
  const bare = (contentType.split(';', 1)[0] as string).trim().toLowerCase();
  return contentTypes.some((allowed) => allowed === bare || (allowed.endsWith('/*') && bare.startsWith(allowed.slice(0, -1))));
}
