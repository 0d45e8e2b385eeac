'use client';

import { Select } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import type { SourceSpec } from '@vrsky/contracts/pipeline-spec';
import { useState } from 'react';
import { toErrorView } from '../../../trpc/to-error-view.ts';
import { useConnectors, useStartSettings } from '../../connectors/api.tsx';
import type { PipelineDetail } from '../types.ts';

interface SourceConnectorSelectProps {
  source: SourceSpec;
  pipeline: PipelineDetail;
  onChange: (source: SourceSpec) => void;
}

/** Where messages come from. The pipeline's URL stays its own: it is back as soon as HTTP is. Not there while HTTP is all there is. */
export function SourceConnectorSelect({ source, pipeline, onChange }: SourceConnectorSelectProps) {
  const connectors = useConnectors('source');
  const startSettings = useStartSettings();
  const [isChanging, setChanging] = useState(false);
  if (connectors.length === 0 && source.connector === 'http') return null;
  const data = [
    { value: 'http', label: 'HTTP: senders post to a URL' },
    ...connectors.map(({ name, title }) => ({ value: name, label: title })),
    ...(source.connector !== 'http' && connectors.every(({ name }) => name !== source.connector)
      ? [{ value: source.connector, label: `${source.connector} (no node offers it)` }]
      : []),
  ];
  const choose = async (connector: string | null) => {
    if (connector === null || connector === source.connector) return;
    const { id } = source;
    if (connector === 'http') return onChange({ id, name: 'Webhook', connector: 'http', settings: { path: inletPath(pipeline) } });
    setChanging(true);
    try {
      const settings = await startSettings(connector, 'source');
      onChange({ id, name: connectors.find((item) => item.name === connector)?.title.slice(0, 80) ?? connector, connector, settings });
    } catch (error) {
      notifications.show({ color: 'red', title: 'The source stays as it is', message: toErrorView(error).message });
    } finally {
      setChanging(false);
    }
  };
  return (
    <Select
      label="Connector"
      description="Where messages come from. The URL of this pipeline stays reserved and comes back with HTTP."
      data={data}
      value={source.connector}
      onChange={(value) => void choose(value)}
      allowDeselect={false}
      disabled={isChanging}
      maw={420}
    />
  );
}

/** The end of the URL that was made with the pipeline. */
function inletPath({ ingestUrl }: PipelineDetail): string {
  return ingestUrl.slice(ingestUrl.lastIndexOf('/') + 1);
}
