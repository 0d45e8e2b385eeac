import type { ApiKeyRole, Permission, Role } from '../features/tenancy/types.ts';

const reading: Permission[] = ['pipeline.read', 'message.read', 'node.read', 'connector.read'];
const running: Permission[] = [...reading, 'message.resend'];
const building: Permission[] = [...running, 'pipeline.write', 'pipeline.publish', 'connector.test', 'secret.read'];
const administering: Permission[] = [...building, 'apikey.read', 'apikey.write', 'protection.write', 'secret.write'];

/** What each role may do in its tenant; the only place that says so. */
export const rolePermissions: Record<Role, readonly Permission[]> = {
  owner: administering,
  admin: administering,
  developer: building,
  operator: running,
  viewer: reading,
  auditor: [...reading, 'apikey.read'],
};

/** API keys work for machines that build, run and watch pipelines, and as admin also write secrets. No route lets a key make further keys. */
export const apiKeyRole: ApiKeyRole = 'developer';

export function isAllowed(role: Role, permission: Permission): boolean {
  return rolePermissions[role].includes(permission);
}
