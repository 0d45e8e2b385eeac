/** Why a source refused a request, for whoever set the sender up. */
export interface RefusalWords {
  what: string;
  todo: string;
}

/** The sender by its own name, where the scheme has one. */
const senders: Record<string, string> = { github: 'GitHub', stripe: 'Stripe', slack: 'Slack' };

/** `reason` is the code that the sender was answered with; a code that is not known here is shown as it is. */
export function refusalWords(reason: string, scheme: string): RefusalWords {
  const sender = senders[scheme] ?? 'the sender';
  const words = known(sender, scheme)[reason];
  if (words !== undefined) return { what: words[0], todo: words[1] };
  const code = reason.replaceAll('_', ' ');
  return { what: `${code.slice(0, 1).toUpperCase()}${code.slice(1)}`, todo: 'The answer to the sender says what to do: look at it there.' };
}

function known(sender: string, scheme: string): Record<string, [string, string]> {
  const newToken = 'Let the sender fetch a new token from the issuer.';
  return {
    credential_missing: [
      scheme in senders ? 'Not signed' : 'Nothing shows who sends',
      scheme in senders
        ? `Enter the secret at ${sender}, too: without one it does not sign. A request that is not from ${sender} is refused for good reason.`
        : 'The header that shows who sends is missing. Let the sender add it; a stranger’s request is refused for good reason.',
    ],
    credential_malformed: [
      'Not of the form that is expected',
      'The header is there more than once, or is not written as this scheme writes it. Compare it with the scheme’s page.',
    ],
    credential_mismatch: ['Another secret than here', `Enter the same value on both sides: here under Secrets, and at ${sender}.`],
    signature_mismatch: [
      'Signature does not match',
      `The secret differs from the one entered at ${sender}, or the body was changed on the way. Enter the same secret on both sides; while you replace it, let both versions be valid for some time.`,
    ],
    timestamp_too_old: [
      'Signed too long ago',
      `Each attempt has to be signed anew; else somebody sends old requests again. If all are refused, the clock of ${sender} is slow.`,
    ],
    timestamp_ahead: ['Signed in the future', `The clock of ${sender} is fast: let it follow a time server.`],
    token_expired: ['Token has expired', newToken],
    token_claim: ['Token is for somebody else', 'Issuer or audience of the token are not those of the settings. Compare them with the token’s.'],
    token_key_unknown: ['Token is signed with an unknown key', `The issuer’s keys do not have it. Check the URL of the keys. ${newToken}`],
    token_algorithm: ['Token is signed in a way that is not accepted', 'Let the issuer sign with one of its public keys.'],
    keys_unavailable: [
      'Issuer’s keys could not be fetched',
      'The sender is not to blame, and was asked to come again. Check that the URL of the keys answers.',
    ],
    cannot_split: ['Body cannot be taken apart', 'It is not NDJSON or a JSON array, or has more than 1,000 entries.'],
    method_not_allowed: ['Method not taken', 'Let the sender use one of the methods of the settings, or add this one to them.'],
    content_type: ['Content type not taken', 'Let the sender use one of the content types of the settings, or add this one to them.'],
    slow_body: ['Body came too slowly', 'Let the sender send faster or less, or allow more time under Limits.'],
    payload_too_large: ['Body too large', 'Let the sender send less, or a reference to the data. Under Limits stands what this source takes.'],
    headers_too_large: ['Headers too large', 'Let the sender send fewer or shorter headers. Under Limits stands what this source takes.'],
    rate_limited: ['More requests than are taken', 'The sender was asked to come again. Raise the rate under Limits if it may send as many.'],
  };
}
