import { credentials } from '@grpc/grpc-js';
import { certToPem, createIdentity } from '@vrsky/plugin/certificate';
import { connectorCookie, connectorVersions, type Handshake, pluginEnv } from '@vrsky/plugin/handshake';
import { callUnary } from '@vrsky/plugin/rpc';
import { Health } from '@vrsky/proto/gen/goplugin/health_pb';
import { hostCredentials, openClient, quote, startRaw } from '../raw-connector.ts';
import { type Check, Failed, until } from '../session.ts';

export const handshakeChecks: readonly Check[] = [
  {
    name: 'handshake.cookie',
    title: 'Started by hand it explains itself and fails',
    async run(session) {
      await using started = await startRaw(session, { [connectorCookie.key]: '' });
      if (!(await until(started.hasEnded, session.limits.startMs)))
        throw new Failed('Without the magic cookie it goes on running: say on stderr what it is, and exit with status 1.');
      const { code, signal } = started.exit();
      if (started.stdout() !== '') throw new Failed(`Without the magic cookie it writes to stdout: ${quote(started.stdout())}. A person reads stderr.`);
      if (code === 0 || signal !== null)
        throw new Failed(`Without the magic cookie it ends with ${signal ?? 'status 0'}: a script would take that for success. Exit with status 1.`);
      if (started.stderr().trim() === '') throw new Failed('Without the magic cookie it ends without a word: say on stderr what it is.');
      return undefined;
    },
  },
  {
    name: 'handshake.line',
    title: 'The first line on stdout is the handshake, in time',
    async run(session) {
      await using started = await startRaw(session, {});
      await started.handshake();
      return `after ${Math.round(started.handshakeMs())} ms`;
    },
  },
  {
    name: 'handshake.version',
    title: 'To a host of another version it does not claim that version',
    async run(session) {
      await using started = await startRaw(session, { [pluginEnv.protocolVersions]: String(STRANGE_VERSION) });
      const spoken = await until(() => started.hasEnded() || started.stdout().includes('\n'), session.limits.startMs);
      if (!spoken) throw new Failed('To a host of another version it says nothing: answer with a version of your own, so that the host can say what is wrong.');
      if (started.hasEnded() && started.stdout() === '') {
        if (started.exit().code === 0) throw new Failed('To a host of another version it ends with status 0.');
        return undefined;
      }
      const version = started.stdout().split('|')[1];
      if (!connectorVersions.map(String).includes(version ?? ''))
        throw new Failed(`To a host that speaks only version ${STRANGE_VERSION} it answers ${quote(started.stdout())}: name a version of your own.`);
      return undefined;
    },
  },
  {
    name: 'handshake.mtls',
    title: 'Only the host that started it gets in',
    async run(session) {
      await using started = await startRaw(session, {});
      const handshake = await started.handshake();
      const server = Buffer.from(certToPem(handshake.serverCert));
      const stranger = createIdentity();
      if (!(await answers(handshake, hostCredentials(handshake, started.identity))))
        throw new Failed('It does not answer its own host over mutual TLS, with the certificate of PLUGIN_CLIENT_CERT.');
      const others = {
        'without a certificate': credentials.createSsl(server),
        'with the certificate of a stranger': credentials.createSsl(server, Buffer.from(stranger.keyPem), Buffer.from(stranger.certPem)),
        'without TLS': credentials.createInsecure(),
      };
      for (const [how, credential] of Object.entries(others))
        if (await answers(handshake, credential)) throw new Failed(`It answers a client ${how}: require the certificate of PLUGIN_CLIENT_CERT and no other.`);
      return undefined;
    },
  },
];

const STRANGE_VERSION = 999;
const STRANGER_MS = 3_000;

async function answers(handshake: Handshake, credential: ReturnType<typeof credentials.createSsl>): Promise<boolean> {
  const client = openClient(handshake, credential);
  try {
    await callUnary(client, Health.method.check, { service: 'plugin' }, STRANGER_MS);
    return true;
  } catch {
    return false; // what it says to those it does not let in is its own affair
  } finally {
    client.close();
  }
}
