/** The limit that the destination is held against: an undici pool that posts the same request of 1 KB as often as it is told. Speaks over IPC. */
import { Pool } from 'undici';

const target = new URL(process.argv[2] ?? '');
const pool = new Pool(target.origin, { connections: 64, pipelining: 1 });
const headers = process.argv.slice(3);
const body = Buffer.alloc(1_024, 'x');

function post(answered: () => void): void {
  pool.dispatch(
    { path: target.pathname, method: 'POST', headers, body },
    {
      onRequestStart() {},
      onResponseStart() {},
      onResponseData() {},
      onResponseEnd: answered,
      onResponseError(_, error) {
        throw error;
      },
    },
  );
}

process.on('message', (count: number) => {
  // As a connector gets messages: some at a time, each answered by itself.
  let answered = 0;
  for (let i = 0; i < count; i++)
    post(() => {
      if (++answered === count) process.send?.(count);
    });
});
process.on('disconnect', () => process.exit(0));
process.send?.('ready');
