import path from 'node:path';
import type { NextConfig } from 'next';

const repositoryRoot = path.join(import.meta.dirname, '../..');

const config: NextConfig = {
  poweredByHeader: false,
  reactStrictMode: true,
  turbopack: { root: repositoryRoot },
  outputFileTracingRoot: repositoryRoot,
  // Our packages export TypeScript source.
  transpilePackages: ['@vrsky/bus', '@vrsky/contracts', '@vrsky/db', '@vrsky/kernel', '@vrsky/logic', '@vrsky/metering', '@vrsky/proto', '@vrsky/sdk'],
  // Loaded by Node from node_modules: native code, WebAssembly beside the script, or files read from disk at run time.
  serverExternalPackages: [
    '@node-rs/argon2',
    '@nats-io/jetstream',
    '@nats-io/jwt',
    '@nats-io/nats-core',
    '@nats-io/nkeys',
    '@nats-io/nuid',
    '@nats-io/transport-node',
    '@prisma/adapter-pg',
    '@prisma/client',
    '@prisma/driver-adapter-utils',
    'esbuild',
    'pg',
    'pino',
    'prom-client',
    'typescript',
    'undici',
  ],
  images: { unoptimized: true },
  // `npm run check` type-checks everything once; a second pass inside the build would only make the first start slower.
  typescript: { ignoreBuildErrors: true },
  headers: async () => [
    {
      // The Content-Security-Policy of a page carries a nonce and is set in src/proxy.ts.
      source: '/:path*',
      headers: [
        { key: 'X-Content-Type-Options', value: 'nosniff' },
        { key: 'X-Frame-Options', value: 'DENY' },
        { key: 'Referrer-Policy', value: 'strict-origin-when-cross-origin' },
        { key: 'Cross-Origin-Opener-Policy', value: 'same-origin' },
        { key: 'Cross-Origin-Resource-Policy', value: 'same-origin' },
        { key: 'Permissions-Policy', value: 'camera=(), geolocation=(), microphone=(), payment=(), usb=()' },
      ],
    },
  ],
};

export default config;
