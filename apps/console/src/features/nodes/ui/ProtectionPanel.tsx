'use client';

import { Button, Group, MultiSelect } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { toErrorView } from '../../../trpc/to-error-view.ts';
import { useTRPC } from '../../../trpc/trpc-context.ts';
import { ErrorState } from '../../../ui/ErrorState.tsx';
import { NeedsRole } from '../../../ui/NeedsRole.tsx';
import { Panel, PanelSkeleton } from '../../../ui/Panel.tsx';
import { layerWord } from '../../../ui/SandboxLayers.tsx';
import { useNeeds } from '../../tenancy/api.tsx';
import type { NodeView } from '../types.ts';

/** The layers of the sandbox without which no connector runs for the tenant. */
export function ProtectionPanel({ nodes }: { nodes: NodeView[] }) {
  const trpc = useTRPC();
  const protection = useQuery(trpc.nodes.protection.queryOptions());
  if (protection.error) return <ErrorState error={toErrorView(protection.error)} onRetry={() => void protection.refetch()} />;
  if (!protection.data) return <PanelSkeleton height={150} />;
  // A new form when somebody else has saved meanwhile.
  return <ProtectionForm key={protection.data.minimum.join()} minimum={protection.data.minimum} nodes={nodes} />;
}

function ProtectionForm({ minimum, nodes }: { minimum: string[]; nodes: NodeView[] }) {
  const trpc = useTRPC();
  const queryClient = useQueryClient();
  const needs = useNeeds('protection.write');
  const [chosen, setChosen] = useState(minimum);
  const save = useMutation(trpc.nodes.setProtection.mutationOptions({ onSuccess: () => queryClient.invalidateQueries({ queryKey: trpc.nodes.pathKey() }) }));
  const layers = [...new Set([...nodes.flatMap(({ sandbox }) => sandbox.map(({ layer }) => layer)), ...minimum])];
  const lacking = nodes.filter(({ sandbox }) => chosen.some((layer) => !sandbox.some((one) => one.layer === layer && one.available)));
  const isChanged = [...chosen].sort().join() !== [...minimum].sort().join();
  return (
    <Panel title="Protection that you ask for">
      <p style={{ marginTop: 0 }}>
        No connector runs for your organisation on a node that lacks one of these layers: its pipelines stop there and say so. Leave it empty to take what each
        node has.
      </p>
      <MultiSelect
        label="Layers"
        data={layers.map((layer) => ({ value: layer, label: layerWord(layer) }))}
        value={chosen}
        onChange={setChosen}
        disabled={needs !== null}
        placeholder={chosen.length === 0 ? 'None' : ''}
        clearable
        maw={640}
        error={lacking.length > 0 ? `Not on ${lacking.map(({ name }) => name).join(', ')}: nothing of yours would run there.` : undefined}
      />
      {save.error && <ErrorState error={toErrorView(save.error)} />}
      <Group mt="md" gap="xs">
        <NeedsRole role={needs}>
          {(disabled) => (
            <Button disabled={disabled || !isChanged} loading={save.isPending} onClick={() => save.mutate({ minimum: chosen })}>
              Save
            </Button>
          )}
        </NeedsRole>
        {isChanged && (
          <Button variant="default" onClick={() => setChosen(minimum)}>
            Undo
          </Button>
        )}
      </Group>
    </Panel>
  );
}
