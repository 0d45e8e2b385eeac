import type { Metadata } from 'next';
import { SecretsPage } from '../../../../../features/secrets/ui/SecretsPage.tsx';

export const metadata: Metadata = { title: 'Secrets' };

export default SecretsPage;
