'use client';

import '@xyflow/react/dist/base.css';
import type { PipelineDraft } from '@vrsky/contracts/pipeline-spec';
import { hasStage, listStages } from '@vrsky/contracts/stages';
import { Background, Controls, type Edge, Handle, MiniMap, type Node, type NodeProps, Position, ReactFlow } from '@xyflow/react';
import { useMemo } from 'react';
import { formatCount, formatNumber } from '../../../ui/format.ts';
import { fillMinutes, totalOf } from '../../../ui/minutes.ts';
import { Sparkline } from '../../../ui/Sparkline.tsx';
import { useNow } from '../../../ui/use-now.ts';
import { useConnectorTitles } from '../../connectors/api.tsx';
import { type DraftPart, partsOf } from '../draft.ts';
import type { DraftProblem, PipelineDetail } from '../types.ts';
import { type CanvasLayout, layOut } from './canvas-layout.ts';
import classes from './PipelineCanvas.module.css';
import { kindWord, partIcon } from './part-look.ts';

const CARD_WIDTH = 190;
const CARD_HEIGHT = 84;
const GAP_X = 56;
/** Where a word stands on a line. */
const WIDE_GAP_X = 96;
const GAP_Y = 20;
/** From this many parts on one loses the overview without a map. */
const MINIMAP_FROM = 15;
/** Edges move while the last message is younger than this. */
const FLOWING_MS = 60_000;

interface PipelineCanvasProps {
  pipeline: PipelineDetail;
  draft: PipelineDraft;
  problems: DraftProblem[];
  selectedId: string;
  onSelect: (id: string) => void;
}

type PartNode = Node<
  { item: DraftPart; kind: string; problem: boolean; goesOn: boolean; rate: { values: number[]; label: string; now: string } | null },
  'part'
>;

/** The graph, left to right. It shows and selects; the list beside it edits. */
export function PipelineCanvas({ pipeline, draft, problems, selectedId, onSelect }: PipelineCanvasProps) {
  const now = useNow();
  const minute = Math.floor(now / 60_000) * 60_000;
  const flowing = pipeline.lastMessageAt !== null && now - Date.parse(pipeline.lastMessageAt) < FLOWING_MS;
  const titles = useConnectorTitles();
  const layout = useMemo(() => layOut(draft), [draft]);
  const nodes = useMemo(
    () => toNodes({ draft, layout, pipeline, problems, selectedId, minute, titles }),
    [draft, layout, pipeline, problems, selectedId, minute, titles],
  );
  const edges = useMemo(() => toEdges(layout, flowing), [layout, flowing]);
  const height = Math.min(420, Math.max(150, layout.rows * (CARD_HEIGHT + GAP_Y) + 44));
  return (
    <section className={classes.canvas} style={{ height }} aria-label="Graph of the pipeline">
      <ReactFlow
        key={nodes.length}
        nodes={nodes}
        edges={edges}
        nodeTypes={nodeTypes}
        onNodeClick={(_event, node) => onSelect(node.id)}
        nodesDraggable={false}
        nodesConnectable={false}
        edgesFocusable={false}
        nodesFocusable={false}
        fitView
        fitViewOptions={{ maxZoom: 1, minZoom: 0.4, padding: 0.08 }}
        minZoom={0.3}
        maxZoom={1.5}
        preventScrolling={false}
        zoomOnScroll={false}
        proOptions={{ hideAttribution: true }}
      >
        <Background gap={16} size={1} color="var(--vr-line)" />
        {nodes.length > 5 && <Controls showInteractive={false} />}
        {nodes.length >= MINIMAP_FROM && <MiniMap pannable zoomable ariaLabel="Overview of the pipeline" />}
      </ReactFlow>
    </section>
  );
}

const nodeTypes = { part: PartCard };

function PartCard({ data, selected }: NodeProps<PartNode>) {
  const { item, kind, problem, goesOn, rate } = data;
  const PartIcon = partIcon(item);
  return (
    <div className={classes.card} data-selected={selected || undefined} data-problem={problem || undefined} style={{ width: CARD_WIDTH, height: CARD_HEIGHT }}>
      {item.kind !== 'source' && <Handle type="target" position={Position.Left} className={classes.handle} isConnectable={false} />}
      <div className={classes.head}>
        <PartIcon size={16} stroke={1.75} aria-hidden />
        <span className={classes.name}>{item.part.name}</span>
      </div>
      <div className={classes.foot}>
        <span className={classes.kind}>{problem ? 'Needs attention' : kind}</span>
        {rate && !problem && (
          <span className={classes.rate}>
            <Sparkline values={rate.values} label={rate.label} width={48} height={18} tone={item.kind === 'source' ? 'accent' : 'good'} />
            <span className="tabular">{rate.now}</span>
          </span>
        )}
      </div>
      {(item.kind !== 'destination' || goesOn) && <Handle type="source" position={Position.Right} className={classes.handle} isConnectable={false} />}
    </div>
  );
}

interface NodesInput {
  draft: PipelineDraft;
  layout: CanvasLayout;
  pipeline: PipelineDetail;
  problems: DraftProblem[];
  selectedId: string;
  /** Start of the minute that it is. */
  minute: number;
  titles: ReadonlyMap<string, string>;
}

function toNodes({ draft, layout, pipeline, problems, selectedId, minute, titles }: NodesInput): PartNode[] {
  const filled = fillMinutes(pipeline.perMinute, minute, 30);
  const rates = {
    source: { values: filled.map(totalOf), label: (total: number) => `${formatCount(total, 'message')} received in the last 30 minutes` },
    destination: {
      values: filled.map((point) => point.delivered),
      label: (total: number) => `${formatCount(total, 'message')} delivered in the last 30 minutes`,
    },
  };
  const rateOf = (item: DraftPart): PartNode['data']['rate'] => {
    // With answers that go on, the pipeline's figures are of more than one part.
    if (item.kind === 'step' || listStages(draft).length > 1 || (item.kind === 'destination' && draft.destinations.length > 1)) return null;
    const { values, label } = rates[item.kind];
    return { values, label: label(values.reduce((sum, value) => sum + value, 0)), now: `${formatNumber(values.at(-1) ?? 0)}/min` };
  };
  const gapX = layout.edges.some(({ isAnswer }) => isAnswer) ? WIDE_GAP_X : GAP_X;
  return partsOf(draft).map((item) => {
    const { column, row } = layout.places.get(item.part.id) ?? { column: 0, row: 0 };
    return {
      id: item.part.id,
      type: 'part',
      position: { x: column * (CARD_WIDTH + gapX), y: row * (CARD_HEIGHT + GAP_Y) },
      selected: item.part.id === selectedId,
      data: {
        item,
        kind: kindWord(item, titles),
        problem: problems.some((problem) => problem.partId === item.part.id && !problem.warning),
        goesOn: hasStage(draft, item.part.id),
        rate: rateOf(item),
      },
    };
  });
}

function toEdges({ edges }: CanvasLayout, flowing: boolean): Edge[] {
  return edges.map(({ from, to, isAnswer }) => ({
    id: `${from}→${to}`,
    source: from,
    target: to,
    animated: flowing,
    focusable: false,
    ...(isAnswer && { label: 'answer', className: classes.answer ?? '', labelBgPadding: [4, 2] as [number, number], labelBgBorderRadius: 4 }),
  }));
}
