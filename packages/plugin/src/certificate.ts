import { generateKeyPairSync, randomBytes, sign, X509Certificate } from 'node:crypto';
import { bitString, boolean, explicit, integer, namedBits, objectId, octetString, raw, sequence, set, time, utf8String } from './der.ts';

/** A key and its self-signed certificate, for one launch of one plugin. The key never leaves the process that made it. */
export interface Identity {
  keyPem: string;
  certPem: string;
  certDer: Buffer;
}

const oid = {
  ecdsaWithSha256: '2a8648ce3d040302',
  commonName: '550403',
  organization: '55040a',
  keyUsage: '551d0f',
  extendedKeyUsage: '551d25',
  basicConstraints: '551d13',
  subjectAltName: '551d11',
  clientAuth: '2b06010505070302',
  serverAuth: '2b06010505070301',
} as const;

const YEARS_MS = 30 * 365 * 86_400_000;
/** Clocks of the two processes are the same, but a second border must not make a certificate "not yet valid". */
const BACKDATE_MS = 30_000;
const DNS_NAME_TAG = 0x82;

/**
 * Makes what go-plugin's AutoMTLS needs: P-256 (every TLS stack knows it; Go's own P-521 is not known to BoringSSL), a name
 * `localhost`, both extended usages, and the marks of an authority, because each side takes the other's certificate as its only root.
 */
export function createIdentity(nowMs: number = Date.now()): Identity {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = sequence(objectId(oid.ecdsaWithSha256));
  const name = sequence(set(sequence(objectId(oid.commonName), utf8String('localhost'))), set(sequence(objectId(oid.organization), utf8String('VRSky'))));
  const toBeSigned = sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(serialNumber()),
    algorithm,
    name,
    sequence(time(new Date(nowMs - BACKDATE_MS)), time(new Date(nowMs + YEARS_MS))),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    explicit(3, sequence(...extensions())),
  );
  const certDer = sequence(toBeSigned, algorithm, bitString(sign('sha256', toBeSigned, privateKey)));
  return { keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), certPem: certToPem(certDer), certDer };
}

/** Throws when the bytes are not a certificate. */
export function certToPem(der: Buffer): string {
  return new X509Certificate(der).toString();
}

function extensions(): Buffer[] {
  return [
    // digitalSignature (0), keyEncipherment (2), keyAgreement (4), keyCertSign (5), as Go's have
    extension(oid.keyUsage, true, namedBits([0, 2, 4, 5])),
    extension(oid.extendedKeyUsage, false, sequence(objectId(oid.clientAuth), objectId(oid.serverAuth))),
    extension(oid.basicConstraints, true, sequence(boolean(true))),
    extension(oid.subjectAltName, false, sequence(raw(DNS_NAME_TAG, Buffer.from('localhost')))),
  ];
}

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  return sequence(objectId(id), ...(critical ? [boolean(true)] : []), octetString(value));
}

/** 126 random bits below a set one: positive, not zero, and of the same length for all. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes.writeUInt8((bytes.readUInt8() & 0x7f) | 0x40);
  return bytes;
}
