import { endSessions } from '@vrsky/db/sign-in';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signIn } from '../src/server/auth.ts';
import { trpc } from './calls.ts';
import { PASSWORD, type Rig, startRig } from './rig.ts';

let rig: Rig;

beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig[Symbol.asyncDispose]());

describe('signing in', () => {
  it('works with the right password, in whatever case the address was typed', async () => {
    expect(await signIn(' Ada@ACME.test', PASSWORD, '10.0.0.1')).toMatchObject({ email: 'ada@acme.test', userId: rig.acme.context.actor.id });
  });

  it("does not work with a wrong password, another's password or an unknown address", async () => {
    expect(await signIn('ada@acme.test', 'wrong', '10.0.0.1')).toBeNull();
    expect(await signIn('ada@acme.test', '', '10.0.0.1')).toBeNull();
    expect(await signIn('nobody@acme.test', PASSWORD, '10.0.0.1')).toBeNull();
  });

  it('costs as much for an unknown address as for a known one', async () => {
    const timeOf = async (email: string): Promise<number> => {
      const startedAtMs = performance.now();
      await signIn(email, 'wrong', '10.0.0.9');
      return performance.now() - startedAtMs;
    };
    const times = { known: [] as number[], unknown: [] as number[] };
    for (let i = 0; i < 5; i++) {
      times.known.push(await timeOf('grace@globex.test'));
      times.unknown.push(await timeOf(`nobody${i}@globex.test`));
    }
    // Without the check against a stand-in, an unknown address would answer many times faster.
    expect(Math.min(...times.unknown)).toBeGreaterThan(Math.min(...times.known) / 3);
  });

  it('is closed for an address after ten failures, for the right password too, and stays open for others', async () => {
    const results: unknown[] = [];
    for (let i = 0; i < 12; i++) results.push(await signIn('locked@acme.test', `guess ${i}`, `10.0.1.${i}`).catch((error: Error) => error.message));
    expect(results.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => null));
    expect(results.slice(10)).toEqual([expect.stringMatching(/^SignInLimited:\d+$/), expect.stringMatching(/^SignInLimited:\d+$/)]);
    expect(await signIn('ada@acme.test', PASSWORD, '10.0.0.2')).not.toBeNull();
  });

  it('is closed for an origin that tries many addresses', async () => {
    let limited = 0;
    for (let i = 0; i < 110; i++) await signIn(`victim${i}@acme.test`, 'guess', '10.0.2.1').catch(() => limited++);
    expect(limited).toBe(10);
  });
});

describe('a session', () => {
  it('of an ended sign-in is out at the next request', async () => {
    const cookie = await rig.addMember(rig.acme, 'viewer');
    const me = await trpc('query', 'session.get', { cookie, tenant: 'acme' });
    expect(me.data).toMatchObject({
      user: { name: 'viewer' },
      tenant: { slug: 'acme', role: 'viewer' },
      permissions: ['pipeline.read', 'message.read', 'node.read', 'connector.read'],
    });
    await endSessions(rig.db, (me.data as { user: { id: string } }).user.id);
    expect((await trpc('query', 'session.get', { cookie, tenant: 'acme' })).status).toBe(401);
  });

  it('of a person who left the tenant finds it no more', async () => {
    const cookie = await rig.addMember(rig.acme, 'operator');
    expect((await trpc('query', 'pipelines.list', { cookie, tenant: 'acme' })).status).toBe(200);
    const id = ((await trpc('query', 'session.get', { cookie, tenant: 'acme' })).data as { user: { id: string } }).user.id;
    await rig.platformDb.prisma.membership.update({
      where: { tenantId_userId: { tenantId: rig.acme.context.tenantId, userId: id } },
      data: { tenantId: rig.globex.context.tenantId },
    });
    expect((await trpc('query', 'pipelines.list', { cookie, tenant: 'acme' })).status).toBe(404);
    expect((await trpc('query', 'pipelines.list', { cookie, tenant: 'globex' })).status).toBe(200);
  });
});
