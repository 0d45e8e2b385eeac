import { z } from 'zod';
import { apiKeyRoles } from './types.ts';

export const createApiKeyInput = z.strictObject({
  name: z.string().trim().min(1, 'Give it a name').max(80, 'A name has at most 80 characters'),
  role: z.enum(apiKeyRoles).optional(),
});
export const apiKeyIdInput = z.strictObject({ id: z.string().min(1).max(64) });
