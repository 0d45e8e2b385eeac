import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { certToPem, createIdentity } from './certificate.ts';

test('a certificate has what both ends of AutoMTLS ask for', () => {
  const { certDer, certPem, keyPem } = createIdentity();
  const cert = new X509Certificate(certDer);
  expect(cert.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
  expect(cert.subjectAltName).toBe('DNS:localhost');
  expect(cert.checkHost('localhost')).toBe('localhost');
  expect(cert.ca).toBe(true);
  expect(cert.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2', '1.3.6.1.5.5.7.3.1']);
  expect(cert.verify(cert.publicKey)).toBe(true);
  expect(cert.checkIssued(cert)).toBe(true);
  expect(cert.checkPrivateKey(createPrivateKey(keyPem))).toBe(true);
  expect(createPublicKey(certPem).equals(cert.publicKey)).toBe(true);
  expect(certToPem(certDer)).toBe(certPem);
});

test('it is valid now and for decades, also past 2049, where the form of a date changes', () => {
  const at = Date.parse('2026-05-04T03:02:01Z');
  const cert = new X509Certificate(createIdentity(at).certDer);
  expect(Date.parse(cert.validFrom)).toBe(at - 30_000);
  expect(new Date(cert.validTo).getUTCFullYear()).toBe(2056);
});

test('serial numbers are positive and differ', () => {
  const serials = Array.from({ length: 200 }, () => new X509Certificate(createIdentity().certDer).serialNumber);
  expect(new Set(serials).size).toBe(200);
  expect(serials.every((serial) => serial.length === 32 && /^[4-7]/.test(serial))).toBe(true);
});
