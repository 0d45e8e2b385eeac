import type { Metadata } from 'next';
import { NodesPage } from '../../../../../features/nodes/ui/NodesPage.tsx';

export const metadata: Metadata = { title: 'Nodes' };

export default NodesPage;
