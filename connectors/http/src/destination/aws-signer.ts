import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import type { OutgoingRequest } from './request.ts';

export interface AwsSignerOptions {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string | undefined;
  region: string;
  service: string;
  now?: () => Date;
}

/** Node's SHA-256 in the shape that the signer asks for. */
class Sha256 {
  private readonly hash: Hash | Hmac;
  constructor(key?: string | ArrayBuffer | ArrayBufferView) {
    this.hash = key === undefined ? createHash('sha256') : createHmac('sha256', typeof key === 'string' ? key : toBytes(key));
  }
  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.hash.update(typeof data === 'string' ? data : toBytes(data));
  }
  async digest(): Promise<Uint8Array> {
    return this.hash.digest();
  }
  reset(): void {
    throw new Error('bug: a hash of the AWS signer is used twice');
  }
}

function toBytes(data: ArrayBuffer | ArrayBufferView): Uint8Array {
  return ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data);
}

/** Headers that are signed beside those of AWS; the others may be changed on the way. */
const signed = new Set(['host', 'content-type']);

/** The headers that make a request one of ours for AWS. */
export function createAwsSigner(o: AwsSignerOptions): (request: OutgoingRequest) => Promise<string[]> {
  const signer = new SignatureV4({
    credentials: { accessKeyId: o.accessKeyId, secretAccessKey: o.secretAccessKey, ...(o.sessionToken !== undefined && { sessionToken: o.sessionToken }) },
    region: o.region,
    service: o.service,
    sha256: Sha256,
    uriEscapePath: o.service !== 's3',
    applyChecksum: o.service === 's3',
  });
  return async (request) => {
    const url = new URL(request.path, request.origin);
    const headers: Record<string, string> = { host: url.host };
    for (let i = 0; i < request.headers.length; i += 2) {
      const name = (request.headers[i] as string).toLowerCase();
      if (signed.has(name)) headers[name] = request.headers[i + 1] as string;
    }
    const query: Record<string, string | string[]> = {};
    for (const key of new Set(url.searchParams.keys())) query[key] = url.searchParams.getAll(key);
    const made = await signer.sign(
      {
        method: request.method,
        protocol: url.protocol,
        hostname: url.hostname,
        path: url.pathname,
        query,
        headers,
        body: request.body ?? new Uint8Array(0),
      },
      { signingDate: o.now?.() ?? new Date() },
    );
    return Object.entries(made.headers).flatMap(([name, value]) => (name === 'host' || signed.has(name) ? [] : [name, value]));
  };
}
