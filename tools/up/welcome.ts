import type { DevFile } from '@vrsky/contracts/dev-file';

/** What a newcomer needs to know, and nothing else. */
export function welcome(dev: DevFile, start: { devFile: string; seconds: number }): string {
  const sample = JSON.stringify({
    id: 'A-1042',
    status: 'paid',
    customer: { name: 'Ada', email: 'Ada@Example.com' },
    items: [{ sku: 'tea', quantity: 2, price: 4.5 }],
  });
  return `
VRSky runs (${start.seconds.toFixed(0)} s)

  Console    ${dev.console}
  Sign in    ${dev.user.email}   ${dev.user.password}

  Send a message through the demo pipeline:

  curl -i ${dev.demo.ingestUrl} -H 'Content-Type: application/json' -d '${sample}'

  What arrived: ${dev.demo.receiverUrl}
  For scripts:  ${start.devFile}

Ctrl-C stops everything`;
}
