import { describe, expect, it } from 'vitest';
import { toOpenApi } from './openapi.ts';
import { routes } from './routes.ts';

// biome-ignore lint/suspicious/noExplicitAny: a JSON document
const document: any = JSON.parse(JSON.stringify(toOpenApi(routes, 'http://127.0.0.1:1/api/v1')));

describe('the OpenAPI document', () => {
  it('is 3.1 and lists every route once, with a name of its own', () => {
    expect(document.openapi).toMatch(/^3\.1\./);
    const paths = document.paths as Record<string, Record<string, { operationId: string }>>;
    const operations = Object.entries(paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({ key: `${method.toUpperCase()} ${path}`, id: operation.operationId })),
    );
    expect(operations.map(({ key }) => key).toSorted()).toEqual(routes.map((route) => `${route.method} ${route.path}`).toSorted());
    expect(new Set(operations.map(({ id }) => id)).size).toBe(routes.length);
  });

  it('has a target for every reference, and no reference into a schema of its own', () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map((match) => match[1] as string);
    expect(references.length).toBeGreaterThan(20);
    for (const reference of references) {
      const target = reference
        .slice(2)
        .split('/')
        .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], document);
      expect(target, reference).toBeDefined();
    }
  });

  it('declares every parameter that its path names', () => {
    // biome-ignore lint/suspicious/noExplicitAny: a JSON document
    for (const [path, item] of Object.entries<any>(document.paths)) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
      // biome-ignore lint/suspicious/noExplicitAny: a JSON document
      for (const operation of Object.values<any>(item)) {
        // biome-ignore lint/suspicious/noExplicitAny: a JSON document
        const declared = operation.parameters.filter((parameter: any) => parameter.in === 'path');
        // biome-ignore lint/suspicious/noExplicitAny: a JSON document
        expect(declared.map((parameter: any) => parameter.name)).toEqual(named);
        // biome-ignore lint/suspicious/noExplicitAny: a JSON document
        expect(declared.every((parameter: any) => parameter.required === true)).toBe(true);
      }
    }
  });

  it('promises problem details for every failure', () => {
    // biome-ignore lint/suspicious/noExplicitAny: a JSON document
    for (const item of Object.values<any>(document.paths)) {
      // biome-ignore lint/suspicious/noExplicitAny: a JSON document
      for (const operation of Object.values<any>(item)) {
        // biome-ignore lint/suspicious/noExplicitAny: a JSON document
        for (const [status, response] of Object.entries<any>(operation.responses))
          if (Number(status) >= 400) expect(response.$ref).toBe('#/components/responses/Problem');
        expect(Object.keys(operation.responses)).toContain('404');
      }
    }
    expect(document.components.schemas.Problem.required).toEqual(['type', 'title', 'status', 'detail', 'code', 'requestId']);
  });
});
