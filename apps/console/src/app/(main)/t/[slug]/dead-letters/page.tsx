import type { Metadata } from 'next';
import { DeadLettersPage } from '../../../../../features/messages/ui/DeadLettersPage.tsx';

export const metadata: Metadata = { title: 'Dead letters' };

export default DeadLettersPage;
