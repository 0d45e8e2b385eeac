import { createHmac, createSecretKey, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Secret } from '@vrsky/sdk/connector';
import { type Authenticator, Denied, denialOf, getHeader } from './authenticator.ts';

/** Both sides are hashed with a key of this process first, so that neither length nor content of a credential shows in the time. */
const key = createSecretKey(randomBytes(32));
const digestOf = (text: string): Buffer => createHmac('sha256', key).update(text, 'latin1').digest();

function createMatcher(accepted: readonly string[]): (given: string) => boolean {
  const digests = accepted.map(digestOf);
  return (given) => {
    const digest = digestOf(given);
    let matches = false;
    for (const one of digests) if (timingSafeEqual(one, digest)) matches = true;
    return matches;
  };
}

/** Values of a header are bytes to Node, one character each. */
const asHeader = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

/** A token in a header of the customer's choice. */
export function createTokenAuthenticator(o: { header: string; prefix: string; token: Secret }): Authenticator {
  const name = o.header.toLowerCase();
  const prefix = asHeader(o.prefix);
  const matches = createMatcher(o.token.versions.map((version) => asHeader(version.text())));
  return {
    credentialHeaders: [name],
    challenge: name === 'authorization' && /^bearer /i.test(prefix) ? 'Bearer' : 'Token',
    beforeBody: (headers) =>
      denialOf(() => {
        const value = getHeader(headers, name);
        // A scheme's name has no case (RFC 9110 §11.1).
        if (value.slice(0, prefix.length).toLowerCase() !== prefix.toLowerCase())
          throw new Denied('credential_malformed', `The header ${name} does not begin as the source’s settings say.`);
        if (!matches(value.slice(prefix.length))) throw new Denied('credential_mismatch', `The token in ${name} is not the one that is expected.`);
      }),
  };
}

/** HTTP Basic (RFC 7617), in UTF-8. */
export function createBasicAuthenticator(o: { user: string; password: Secret }): Authenticator {
  const matches = createMatcher(o.password.versions.map((version) => asHeader(`${o.user}:${version.text()}`)));
  return {
    credentialHeaders: ['authorization'],
    challenge: 'Basic realm="VRSky", charset="UTF-8"',
    beforeBody: (headers) =>
      denialOf(() => {
        const encoded = /^basic +([A-Za-z0-9+/]+=*) *$/i.exec(getHeader(headers, 'authorization'))?.[1];
        if (encoded === undefined) throw new Denied('credential_malformed', 'The header authorization is not of the form Basic <base64>.');
        if (!matches(Buffer.from(encoded, 'base64').toString('latin1')))
          throw new Denied('credential_mismatch', 'User name or password is not the one that is expected.');
      }),
  };
}
