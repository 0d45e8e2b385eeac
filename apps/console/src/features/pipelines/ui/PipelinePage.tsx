'use client';

import { Skeleton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { paths } from '../../../lib/paths.ts';
import { toErrorView } from '../../../trpc/to-error-view.ts';
import { useTRPC } from '../../../trpc/trpc-context.ts';
import { ErrorState } from '../../../ui/ErrorState.tsx';
import { PageHeader } from '../../../ui/PageHeader.tsx';
import { useSlug } from '../../tenancy/api.tsx';
import { PipelineEditor } from './PipelineEditor.tsx';

/** One pipeline: its graph, its parts, what the nodes run and what went through. */
export function PipelinePage({ pipelineId }: { pipelineId: string }) {
  const trpc = useTRPC();
  const slug = useSlug();
  const query = useQuery(trpc.pipelines.get.queryOptions({ id: pipelineId }));
  const back = { href: paths.pipelines(slug), label: 'Pipelines' };
  if (query.data) return <PipelineEditor key={query.data.id} pipeline={query.data} />;
  if (query.isError) {
    return (
      <>
        <PageHeader title="Pipeline" back={back} />
        <ErrorState error={toErrorView(query.error)} onRetry={() => void query.refetch()} />
      </>
    );
  }
  return (
    <>
      <PageHeader title={<Skeleton height={20} width={180} />} back={back} />
      <Skeleton height={220} radius="lg" mb="md" />
      <Skeleton height={320} radius="lg" />
    </>
  );
}
