import { z } from 'zod';
import type { Route } from './route.ts';
import { problemSchema } from './schemas.ts';

type Json = Record<string, unknown>;

/** The OpenAPI 3.1 document of the routes, made from the same schemas that check requests. */
export function toOpenApi(routes: readonly Route[], serverUrl: string): Json {
  const schemas = new SchemaBook();
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const path = paths[route.path] ?? {};
    path[route.method.toLowerCase()] = operation(route, schemas);
    paths[route.path] = path;
  }
  schemas.of(problemSchema, 'output');
  return {
    openapi: '3.1.0',
    info: {
      title: 'VRSky API',
      version: '1',
      description:
        'Build, publish and watch the pipelines of your organisation. Every call takes an API key as a bearer token; make one in the console under API keys.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: serverUrl }],
    security: [{ apiKey: [] }],
    tags: [...new Set(routes.map((route) => route.tag))].map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: { apiKey: { type: 'http', scheme: 'bearer', description: 'An API key, `vrsky_…`' } },
      schemas: schemas.components,
      responses: {
        Problem: { description: 'What went wrong (RFC 9457)', content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } } },
      },
      headers: { RequestId: { description: 'Name of this request in our logs', schema: { type: 'string' } } },
    },
  };
}

function operation(route: Route, schemas: SchemaBook): Json {
  const { status, description, schema } = route.success;
  const headers: Json = { 'x-request-id': { $ref: '#/components/headers/RequestId' } };
  if (route.ifMatch !== 'none' || (route.method === 'GET' && route.path === '/pipelines/{id}'))
    headers.etag = { description: 'Version of the draft', schema: { type: 'string' } };
  if (status === 201) headers.location = { description: 'Where it is', schema: { type: 'string' } };
  const failures = [
    '400',
    '401',
    '403',
    '404',
    ...(route.ifMatch === 'none' ? [] : ['412']),
    ...(route.ifMatch === 'required' ? ['428'] : []),
    ...(route.idempotent ? ['409'] : []),
    '429',
    '500',
    '503',
  ];
  return {
    operationId: route.id,
    tags: [route.tag],
    summary: route.summary,
    ...(route.description ? { description: route.description } : {}),
    parameters: parameters(route, schemas),
    ...(hasBody(route) ? { requestBody: { required: true, content: { 'application/json': { schema: schemas.of(route.body, 'input') } } } } : {}),
    responses: {
      [status]: { description, headers, ...(status === 204 ? {} : { content: { 'application/json': { schema: schemas.of(schema, 'output') } } }) },
      ...Object.fromEntries(failures.toSorted().map((code) => [code, { $ref: '#/components/responses/Problem' }])),
    },
  };
}

function hasBody(route: Route): boolean {
  return !(route.body instanceof z.ZodUndefined);
}

function parameters(route: Route, schemas: SchemaBook): Json[] {
  const list: Json[] = [];
  for (const [name, schema] of Object.entries(route.params.shape))
    list.push({ name, in: 'path', required: true, schema: schemas.of(schema as z.ZodType, 'input') });
  for (const [name, schema] of Object.entries(route.query.shape)) {
    const { description, ...rest } = schemas.of(schema as z.ZodType, 'input');
    list.push({ name, in: 'query', required: false, ...(description ? { description } : {}), schema: rest });
  }
  if (route.ifMatch !== 'none') {
    list.push({
      name: 'If-Match',
      in: 'header',
      required: route.ifMatch === 'required',
      description: 'The ETag you read; `*` for whatever is there',
      schema: { type: 'string' },
    });
  }
  if (route.idempotent) {
    list.push({
      name: 'Idempotency-Key',
      in: 'header',
      required: false,
      description: 'Your name for this call, at most 100 characters: repeating it within a day does nothing twice',
      schema: { type: 'string', maxLength: 100 },
    });
  }
  return list;
}

/** JSON Schemas of the document: a schema with a name stands once in `components`, and everywhere else as a reference. */
class SchemaBook {
  readonly components: Record<string, Json> = {};

  of(schema: z.ZodType, io: 'input' | 'output'): Json {
    const {
      $schema: _dialect,
      $defs,
      ...json
    } = z.toJSONSchema(schema, { io, unrepresentable: 'any', override: ({ jsonSchema }) => (io === 'output' ? allowMore(jsonSchema) : undefined) }) as Json & {
      $defs?: Record<string, Json>;
    };
    for (const [name, definition] of Object.entries($defs ?? {})) this.components[name] = relink(definition) as Json;
    return relink(json) as Json;
  }
}

/** Answers may get further members; clients that are generated from the document must not refuse them. */
function allowMore(jsonSchema: { additionalProperties?: unknown }): void {
  if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
}

/** Moves references from the schema's own `$defs` to the document's components. */
function relink(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(relink);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      key === '$ref' && typeof item === 'string' ? item.replace('#/$defs/', '#/components/schemas/') : relink(item),
    ]),
  );
}
