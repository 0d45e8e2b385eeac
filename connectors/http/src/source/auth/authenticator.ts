/** Why a request is not taken for the sender's: `reason` is counted, `detail` is for whoever set the sender up, and helps nobody to forge one. */
export interface Denial {
  status: 401 | 503;
  reason: string;
  detail: string;
}

/** Raw headers of a request, as Node lists them: names and values in turn. */
export type RawHeaders = readonly string[];

/** How a connection knows its sender. */
export interface Authenticator {
  /** Headers that carry a credential, in lower case: they stay here. */
  readonly credentialHeaders: readonly string[];
  /** For `WWW-Authenticate` (RFC 9110 §11.6.1). */
  readonly challenge: string;
  /** What can be said before the body is read. A promise where keys have to be fetched. */
  beforeBody?(headers: RawHeaders): Denial | null | Promise<Denial | null>;
  /** What needs the body's bytes. */
  afterBody?(headers: RawHeaders, payload: Uint8Array, nowMs: number): Denial | null;
  /** The sender's own id of a message that has been let in; empty when it has none. */
  idOf?(headers: RawHeaders, payload: Uint8Array): string;
  /** A body to answer with instead of taking a message: the sender asks whether somebody is there. */
  echoOf?(payload: Uint8Array): string | null;
}

/** The way out of reading a request's headers. */
export class Denied extends Error {
  readonly denial: Denial;
  constructor(reason: string, detail: string) {
    super(detail);
    this.name = 'Denied';
    this.denial = { status: 401, reason, detail };
  }
}

/** The value of a header by its name in lower case; null when it is not there. Throws Denied when it is there twice: either could be meant. */
export function findHeader(headers: RawHeaders, name: string): string | null {
  let found: string | null = null;
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const spelling = headers[i] as string;
    if (spelling.length !== name.length || spelling.toLowerCase() !== name) continue;
    if (found !== null) throw new Denied('credential_malformed', `The header ${name} is there more than once.`);
    found = headers[i + 1] as string;
  }
  return found;
}

/** Throws Denied when it is missing. */
export function getHeader(headers: RawHeaders, name: string): string {
  const value = findHeader(headers, name);
  if (value === null || value === '') throw new Denied('credential_missing', `The header ${name} is missing.`);
  return value;
}

/** Runs a check that throws Denied. */
export function denialOf(check: () => void): Denial | null {
  try {
    check();
    return null;
  } catch (error) {
    if (error instanceof Denied) return error.denial;
    throw error;
  }
}

/** The settings of a connection cannot be used with its secret; for the field at `path`. */
export class UnusableSecret extends Error {
  readonly path: string;
  constructor(path: string, message: string) {
    super(message);
    this.name = 'UnusableSecret';
    this.path = path;
  }
}
