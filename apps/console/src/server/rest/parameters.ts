import { z } from 'zod';

export const noParams = z.strictObject({});
export const noQuery = z.strictObject({});
export const noBody = z.undefined();
export const idParams = z.strictObject({ id: z.string().min(1).max(64) });

export const pageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50).describe('Items on a page, at most 200'),
  cursor: z.string().max(300).optional().describe('`nextCursor` of the page before'),
});
