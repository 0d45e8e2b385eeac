import type { z } from 'zod';
import type { Permission } from '../../features/tenancy/types.ts';
import type { TenantContext } from '../context.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
type Shape = z.ZodObject;

export interface RouteInput<P extends Shape, Q extends Shape, B extends z.ZodType> {
  params: z.output<P>;
  query: z.output<Q>;
  body: z.output<B>;
  /** Version that the caller's `If-Match` names; null when there is none or it is `*`. */
  ifMatch: number | null;
}

export interface RouteResult<R extends z.ZodType> {
  body: z.input<R>;
  /** Becomes the `ETag`. */
  version?: number;
  /** Path of what was made, below `/api/v1`. */
  location?: string;
}

/** One operation of the REST API: what the dispatcher runs and what the OpenAPI document says are the same object. */
export interface Route<P extends Shape = Shape, Q extends Shape = Shape, B extends z.ZodType = z.ZodType, R extends z.ZodType = z.ZodType> {
  method: Method;
  /** Below `/api/v1`, with `{name}` for parameters. */
  path: string;
  id: string;
  tag: string;
  summary: string;
  description?: string;
  permission: Permission;
  params: P;
  query: Q;
  body: B;
  success: { status: 200 | 201 | 202 | 204; description: string; schema: R };
  /** `required`: without `If-Match` the call is refused, so that nobody overwrites what they have not read. */
  ifMatch: 'required' | 'optional' | 'none';
  /** Takes `Idempotency-Key`: the same key with the same body answers the same again. */
  idempotent: boolean;
  handle(tenant: TenantContext, input: RouteInput<P, Q, B>): Promise<RouteResult<R>>;
}

/** Checks the handler against its schemas, then forgets them, so that routes of all shapes fit into one list. */
export function route<P extends Shape, Q extends Shape, B extends z.ZodType, R extends z.ZodType>(definition: Route<P, Q, B, R>): Route {
  return definition as unknown as Route;
}
