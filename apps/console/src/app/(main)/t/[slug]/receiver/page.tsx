import type { Metadata } from 'next';
import { ReceiverPage } from '../../../../../features/receiver/ui/ReceiverPage.tsx';

export const metadata: Metadata = { title: 'Test receiver' };

export default ReceiverPage;
