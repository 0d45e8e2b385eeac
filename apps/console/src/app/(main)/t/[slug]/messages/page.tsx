import type { Metadata } from 'next';
import { MessagesPage } from '../../../../../features/messages/ui/MessagesPage.tsx';

export const metadata: Metadata = { title: 'Messages' };

export default MessagesPage;
