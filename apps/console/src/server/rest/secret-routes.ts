import { secretNameSchema } from '@vrsky/contracts/secrets';
import { z } from 'zod';
import { createSecretInput, replaceSecretChange } from '../../features/secrets/schema.ts';
import { createSecret } from '../../features/secrets/server/create-secret.ts';
import { deleteSecret } from '../../features/secrets/server/delete-secret.ts';
import { getSecret, listSecrets } from '../../features/secrets/server/list-secrets.ts';
import { replaceSecret } from '../../features/secrets/server/replace-secret.ts';
import { noBody, noParams, noQuery } from './parameters.ts';
import { type Route, route } from './route.ts';
import { secretSchema } from './schemas.ts';

const tag = 'Secrets';
const nameParams = z.strictObject({ name: secretNameSchema });
const writing = 'Needs a key that acts as admin.';

export const secretRoutes: Route[] = [
  route({
    method: 'GET',
    path: '/secrets',
    id: 'listSecrets',
    tag,
    summary: 'List secrets by name',
    description: 'Names, fingerprints, versions, hosts and uses. No call ever answers a value.',
    permission: 'secret.read',
    params: noParams,
    query: noQuery,
    body: noBody,
    success: { status: 200, description: 'All secrets', schema: z.object({ items: z.array(secretSchema) }) },
    ifMatch: 'none',
    idempotent: false,
    handle: async (tenant) => ({ body: { items: await listSecrets(tenant) } }),
  }),
  route({
    method: 'POST',
    path: '/secrets',
    id: 'createSecret',
    tag,
    summary: 'Create a secret',
    description: `Settings refer to it by its name: \`{"$secret": "api-token"}\`. ${writing}`,
    permission: 'secret.write',
    params: noParams,
    query: noQuery,
    body: createSecretInput,
    success: { status: 201, description: 'The secret, without its value', schema: secretSchema },
    ifMatch: 'none',
    idempotent: true,
    handle: async (tenant, { body }) => {
      const secret = await createSecret(tenant, body);
      return { body: secret, version: secret.revision, location: `/secrets/${secret.name}` };
    },
  }),
  route({
    method: 'GET',
    path: '/secrets/{name}',
    id: 'getSecret',
    tag,
    summary: 'Read what is known about a secret',
    permission: 'secret.read',
    params: nameParams,
    query: noQuery,
    body: noBody,
    success: { status: 200, description: 'The secret, without its value', schema: secretSchema },
    ifMatch: 'none',
    idempotent: false,
    handle: async (tenant, { params }) => {
      const secret = await getSecret(tenant, params);
      return { body: secret, version: secret.revision };
    },
  }),
  route({
    method: 'PATCH',
    path: '/secrets/{name}',
    id: 'replaceSecret',
    tag,
    summary: 'Replace the value of a secret, or change its hosts',
    description: `Connectors get the new version without a restart; the old one stays valid for \`overlapSeconds\`, and 0 ends it at once; \`endOverlap\` ends it later. ${writing}`,
    permission: 'secret.write',
    params: nameParams,
    query: noQuery,
    body: z
      .strictObject(replaceSecretChange)
      .refine((body) => Object.values(body).some((value) => value !== undefined), 'Send a value, hosts, overlapSeconds, or endOverlap'),
    success: { status: 200, description: 'The secret, without its value', schema: secretSchema },
    ifMatch: 'required',
    idempotent: true,
    handle: async (tenant, { params, body, ifMatch }) => {
      const secret = await replaceSecret(tenant, { ...params, ...body, revision: ifMatch });
      return { body: secret, version: secret.revision };
    },
  }),
  route({
    method: 'DELETE',
    path: '/secrets/{name}',
    id: 'deleteSecret',
    tag,
    summary: 'Delete a secret with all its versions',
    description: `One that a pipeline refers to, in its draft or as published, stays: the answer says where. ${writing}`,
    permission: 'secret.write',
    params: nameParams,
    query: noQuery,
    body: noBody,
    success: { status: 204, description: 'Deleted', schema: noBody },
    ifMatch: 'optional',
    idempotent: false,
    handle: async (tenant, { params, ifMatch }) => {
      await deleteSecret(tenant, { ...params, revision: ifMatch });
      return { body: undefined };
    },
  }),
];
