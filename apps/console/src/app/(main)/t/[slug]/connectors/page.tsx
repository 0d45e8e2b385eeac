import type { Metadata } from 'next';
import { ConnectorsPage } from '../../../../../features/connectors/ui/ConnectorsPage.tsx';

export const metadata: Metadata = { title: 'Connectors' };

export default ConnectorsPage;
