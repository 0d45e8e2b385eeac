import { connect, isIP, type LookupFunction, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { type Check, CheckFailed, runCheck } from '@vrsky/sdk/connector';
import { type EgressGuard, endpointOf } from './egress.ts';
import { DeliveryTimeout, failureOutcome } from './outcome.ts';

export interface ProbeOptions {
  url: URL;
  guard: EgressGuard;
  timeoutMs: number;
  deadline: AbortSignal;
  /** How TLS is agreed on: authorities, versions, our own certificate. */
  tls?: Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'minVersion'>;
}

/**
 * Tries how far a request would get without sending one: the name, the connection, TLS. What cannot be tried after a failure is left out. It
 * goes the way of a delivery, so that what may not be reached cannot be found out here either.
 */
export async function probeReceiver({ url, guard, timeoutMs, deadline, tls = {} }: ProbeOptions): Promise<Check[]> {
  const { host, port } = endpointOf(url);
  const stop = AbortSignal.any([deadline, AbortSignal.timeout(timeoutMs)]);
  const checks: Check[] = [];
  /** Answers whether the next one makes sense. */
  const check = async (name: string, run: () => Promise<string>): Promise<boolean> => {
    const made = await runCheck(name, () => run().catch((error) => Promise.reject(toFailure(error, url.host, timeoutMs))));
    checks.push(made);
    return made.passed;
  };

  const opened: { tcp?: Socket; tls?: TLSSocket } = {};
  try {
    if (isIP(host) === 0 && !(await check(`Resolve ${host}`, async () => `${host} is ${(await resolve(guard.lookup(host, port), host, stop)).join(', ')}.`)))
      return checks;
    const connected = await check(`Connect to ${host}:${port}`, async () => {
      opened.tcp = connect({ host, port: Number(port), lookup: guard.lookup(host, port), autoSelectFamily: true });
      await ready(opened.tcp, 'connect', stop);
      guard.checkPeer(host, port, opened.tcp.remoteAddress);
      return `${opened.tcp.remoteAddress} accepts connections.`;
    });
    if (!connected || url.protocol !== 'https:') return checks;
    await check('Agree on TLS', async () => {
      opened.tls = connectTls({ socket: opened.tcp as Socket, ...(isIP(host) === 0 && { servername: host }), host, ...tls });
      await ready(opened.tls, 'secureConnect', stop);
      return `${opened.tls.getProtocol()}; the certificate is valid until ${new Date(opened.tls.getPeerCertificate().valid_to).toISOString().slice(0, 10)}.`;
    });
    return checks;
  } finally {
    opened.tls?.destroy();
    opened.tcp?.destroy();
  }
}

function resolve(lookup: LookupFunction, host: string, stop: AbortSignal): Promise<string[]> {
  return new Promise((done, fail) => {
    stop.addEventListener('abort', () => fail(new DeliveryTimeout()), { once: true });
    lookup(host, { all: true }, (error, addresses) => {
      if (error) fail(error);
      else done([...new Set((addresses as { address: string }[]).map(({ address }) => address))]);
    });
  });
}

function ready(socket: Socket, event: 'connect' | 'secureConnect', stop: AbortSignal): Promise<void> {
  return new Promise((done, fail) => {
    stop.addEventListener('abort', () => fail(new DeliveryTimeout()), { once: true });
    if (stop.aborted) fail(new DeliveryTimeout());
    socket.once(event, () => done());
    socket.once('error', fail);
  });
}

function toFailure(error: unknown, host: string, timeoutMs: number): CheckFailed {
  return new CheckFailed(failureOutcome(error, host, timeoutMs).reason ?? '');
}
