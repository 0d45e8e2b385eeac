export const roles = ['owner', 'admin', 'developer', 'operator', 'viewer', 'auditor'] as const;
export type Role = (typeof roles)[number];

/** One closed list; `tenantProcedure` takes one of these. */
export const permissions = [
  'pipeline.read',
  'pipeline.write',
  'pipeline.publish',
  'message.read',
  'message.resend',
  'node.read',
  'connector.read',
  'connector.test',
  'apikey.read',
  'apikey.write',
  'protection.write',
  'secret.read',
  'secret.write',
] as const;
export type Permission = (typeof permissions)[number];

export interface SessionView {
  user: { id: string; email: string; name: string };
  tenant: { id: string; slug: string; name: string; role: Role };
  tenants: { id: string; slug: string; name: string; role: Role }[];
  permissions: Permission[];
}

/** What a program may act as. */
export const apiKeyRoles = ['developer', 'admin'] as const;
export type ApiKeyRole = (typeof apiKeyRoles)[number];

export interface ApiKeyView {
  id: string;
  name: string;
  /** First characters, to recognise it; the rest is shown once, when it is made. */
  prefix: string;
  /** What it may do is what a person of this role may. */
  role: Role;
  createdAt: string;
  lastUsedAt: string | null;
}
