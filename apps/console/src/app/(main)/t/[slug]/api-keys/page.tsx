import type { Metadata } from 'next';
import { ApiKeysPage } from '../../../../../features/tenancy/ui/ApiKeysPage.tsx';

export const metadata: Metadata = { title: 'API keys' };

export default ApiKeysPage;
