import type { Metadata } from 'next';
import { PipelinePage } from '../../../../../../features/pipelines/ui/PipelinePage.tsx';

export const metadata: Metadata = { title: 'Pipeline' };

export default async function Page({ params }: { params: Promise<{ pipelineId: string }> }) {
  return <PipelinePage pipelineId={(await params).pipelineId} />;
}
