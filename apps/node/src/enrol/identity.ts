import path from 'node:path';
import { createUserKey } from '@vrsky/bus/platform-keys';
import { generateSealKey } from '@vrsky/contracts/seal';
import { AppError } from '@vrsky/kernel/errors';
import { z } from 'zod';
import { findText, writeDurably } from '../durable-file.ts';

/** Who this node is: made once, on its own disk; the private halves never leave it. */
const identitySchema = z.strictObject({
  v: z.literal(1),
  /** NATS user nkey, Ed25519. */
  user: z.strictObject({ seed: z.string().startsWith('SU'), publicKey: z.string().startsWith('U') }),
  /** X25519, for what is sealed to this node. */
  seal: z.strictObject({ privateKey: z.string(), publicKey: z.string() }),
});
export type Identity = z.infer<typeof identitySchema>;

/** The identity on disk; a new one when there is none yet. A damaged file is an error: a new identity would strand the old one's grants. */
export async function openIdentity(stateDir: string): Promise<Identity> {
  const file = path.join(stateDir, 'identity.json');
  const text = await findText(file);
  if (text !== null) return parseIdentity(file, text);
  const identity: Identity = { v: 1, user: createUserKey(), seal: generateSealKey() };
  await writeDurably(file, JSON.stringify(identity));
  return identity;
}

function parseIdentity(file: string, text: string): Identity {
  try {
    return identitySchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new AppError({
      code: 'NODE.IDENTITY_DAMAGED',
      kind: 'invalid',
      message: `${file} is not a node identity: put it back from a copy, or remove the state folder and enrol again`,
      cause,
    });
  }
}
