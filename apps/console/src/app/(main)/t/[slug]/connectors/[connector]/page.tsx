import type { Metadata } from 'next';
import { ConnectorPage } from '../../../../../../features/connectors/ui/ConnectorPage.tsx';

export const metadata: Metadata = { title: 'Connector' };

export default async function Page({ params }: { params: Promise<{ connector: string }> }) {
  const { connector } = await params;
  return <ConnectorPage name={connector} />;
}
