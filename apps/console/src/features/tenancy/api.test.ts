import { expect, test } from 'vitest';
import { rolePermissions } from '../../server/permissions.ts';
import { leastRoles } from './api.tsx';
import type { Permission, Role } from './types.ts';

test.each(Object.entries(leastRoles) as [Permission, Role][])('the role named for %s, %s, does allow it', (permission, role) => {
  expect(rolePermissions[role]).toContain(permission);
});
