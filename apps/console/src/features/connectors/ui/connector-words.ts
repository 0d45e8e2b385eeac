import type { ConnectorRole, ConnectorSummary } from '../types.ts';

export function roleWords(roles: ConnectorRole[]): string {
  if (roles.length === 2) return 'Source and destination';
  return roles[0] === 'source' ? 'Source' : 'Destination';
}

export const originWords: Record<ConnectorSummary['origin'], string> = {
  'built-in': 'Comes with every node',
  directory: 'From the nodes’ connector directory',
};

export const networkWords: Record<ConnectorSummary['network'], string> = {
  none: 'None: it talks to its node only',
  direct: 'The node’s network',
};
