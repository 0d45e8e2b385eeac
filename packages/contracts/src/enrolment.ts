import { z } from 'zod';

/** `POST <console>/api/nodes/enrol`: a node exchanges a one-time join token for its credentials. */
export const enrolmentRequestSchema = z.strictObject({
  token: z.string().min(20).max(200),
  name: z.string().min(1).max(80),
  version: z.string().min(1).max(40),
  /** NATS user nkey (`U…`), an Ed25519 key: the node's identity. Its seed never leaves the node. */
  identityKey: z.string().regex(/^U[A-Z2-7]{55}$/),
  /** X25519 public key, base64url. */
  sealKey: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
});
export type EnrolmentRequest = z.infer<typeof enrolmentRequestSchema>;

export const enrolmentResponseSchema = z.strictObject({
  nodeId: z.string(),
  pool: z.string(),
  natsUrl: z.string(),
  /** User JWT in the account CONTROL for `identityKey`. */
  controlJwt: z.string(),
  /** The control plane's bundle keys; the node pins them. */
  trustedKeys: z.array(z.strictObject({ keyId: z.string(), publicKey: z.string() })).min(1),
});
export type EnrolmentResponse = z.infer<typeof enrolmentResponseSchema>;
