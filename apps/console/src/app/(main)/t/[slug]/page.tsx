import type { Metadata } from 'next';
import { OverviewPage } from '../../../../features/overview/ui/OverviewPage.tsx';

export const metadata: Metadata = { title: 'Overview' };

export default OverviewPage;
