import type { Metadata } from 'next';
import { PipelinesPage } from '../../../../../features/pipelines/ui/PipelinesPage.tsx';

export const metadata: Metadata = { title: 'Pipelines' };

export default PipelinesPage;
