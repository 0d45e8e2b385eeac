import { defineConfig } from 'prisma/config';

export default defineConfig({
  schema: 'prisma/schema.prisma',
  // Read by commands that need a database; `generate` only wants it to be there.
  datasource: { url: process.env['DATABASE_OWNER_URL'] ?? 'postgresql://vrsky_owner@127.0.0.1:4806/vrsky' },
});
