'use client';

import { useMutation, useQueryClient } from '@tanstack/react-query';
import type { PipelineDraft } from '@vrsky/contracts/pipeline-spec';
import { useCallback, useEffect, useRef, useState } from 'react';
import { appCodeOf, toErrorView } from '../../../trpc/to-error-view.ts';
import { useTRPC } from '../../../trpc/trpc-context.ts';
import type { ErrorView } from '../../../ui/ErrorState.tsx';
import type { DraftProblem, PipelineDetail } from '../types.ts';
import { changedField } from './changed-field.ts';

export type SaveState = { kind: 'saved' } | { kind: 'unsaved' } | { kind: 'saving' } | { kind: 'failed'; error: ErrorView } | { kind: 'conflict' };

export interface PipelineDraftEditor {
  draft: PipelineDraft;
  draftVersion: number;
  problems: DraftProblem[];
  save: SaveState;
  edit(next: PipelineDraft): void;
  undo: (() => void) | null;
  redo: (() => void) | null;
  setProblems(problems: DraftProblem[]): void;
  /** Saves what is open and resolves with the version on the server; null when it could not be saved. */
  flush(): Promise<number | null>;
}

const SAVE_AFTER_MS = 500;
const HISTORY_MAX = 100;
/** Edits of one field within this time are one step of undo. */
const SAME_EDIT_MS = 800;

interface History {
  past: PipelineDraft[];
  future: PipelineDraft[];
  /** The last edit: when, and in which field if it was typing in one. */
  at: number;
  field: string | null;
}

const noHistory: History = { past: [], future: [], at: 0, field: null };

/**
 * The draft on the page: edits at once, saves by itself, undoes. Another person's save shows as a conflict instead of being overwritten;
 * a newer draft from the server is taken over only while nothing here is unsaved.
 */
export function usePipelineDraft(pipeline: PipelineDetail): PipelineDraftEditor {
  const trpc = useTRPC();
  const queryClient = useQueryClient();
  const [draft, setDraft] = useState(pipeline.draft);
  const [problems, setProblems] = useState<DraftProblem[]>([]);
  const [save, setSave] = useState<SaveState>({ kind: 'saved' });
  const [history, setHistory] = useState<History>(noHistory);
  const version = useRef(pipeline.draftVersion);
  const saved = useRef(pipeline.draft);
  const current = useRef(draft);
  current.current = draft;
  const inFlight = useRef<Promise<number | null> | null>(null);
  const { mutateAsync } = useMutation(trpc.pipelines.saveDraft.mutationOptions());

  useEffect(() => {
    const idle = current.current === saved.current && inFlight.current === null;
    if (!idle || pipeline.draftVersion <= version.current) return;
    version.current = pipeline.draftVersion;
    saved.current = pipeline.draft;
    setDraft(pipeline.draft);
    setHistory(noHistory);
  }, [pipeline.draft, pipeline.draftVersion]);

  const saveNow = useCallback(async (): Promise<number | null> => {
    while (current.current !== saved.current) {
      const sending = current.current;
      setSave({ kind: 'saving' });
      try {
        const result = await mutateAsync({ id: pipeline.id, draft: sending, draftVersion: version.current });
        version.current = result.draftVersion;
        saved.current = sending;
        setProblems(result.problems);
      } catch (error) {
        setSave(appCodeOf(error) === 'PIPELINE.DRAFT_CHANGED' ? { kind: 'conflict' } : { kind: 'failed', error: toErrorView(error) });
        return null;
      }
    }
    setSave({ kind: 'saved' });
    void queryClient.invalidateQueries({ queryKey: trpc.pipelines.get.queryKey({ id: pipeline.id }) });
    return version.current;
  }, [mutateAsync, pipeline.id, queryClient, trpc]);

  const flush = useCallback((): Promise<number | null> => {
    // One save at a time: the next one must carry the version that this one returns.
    inFlight.current ??= saveNow().finally(() => {
      inFlight.current = null;
    });
    return inFlight.current;
  }, [saveNow]);

  useEffect(() => {
    if (draft === saved.current) return;
    setSave((before) => (before.kind === 'conflict' ? before : { kind: 'unsaved' }));
    const timer = setTimeout(() => void flush(), SAVE_AFTER_MS);
    return () => clearTimeout(timer);
  }, [draft, flush]);

  useEffect(() => {
    const ask = (event: BeforeUnloadEvent) => {
      if (current.current !== saved.current) event.preventDefault();
    };
    window.addEventListener('beforeunload', ask);
    return () => {
      window.removeEventListener('beforeunload', ask);
      if (current.current !== saved.current) void flush();
    };
  }, [flush]);

  const edit = useCallback((next: PipelineDraft) => {
    const now = Date.now();
    const before = current.current;
    const field = changedField(before, next);
    setHistory((history) => {
      const goesOn = field !== null && field === history.field && now - history.at < SAME_EDIT_MS;
      return { past: goesOn ? history.past : [...history.past, before].slice(-HISTORY_MAX), future: [], at: now, field };
    });
    setDraft(next);
  }, []);

  const step = (from: 'past' | 'future') => {
    const to = from === 'past' ? 'future' : 'past';
    const target = history[from].at(-1);
    if (!target) return null;
    return () => {
      const leaving = current.current;
      setHistory({ ...noHistory, [from]: history[from].slice(0, -1), [to]: [...history[to], leaving] });
      setDraft(target);
    };
  };

  return { draft, draftVersion: version.current, problems, save, edit, undo: step('past'), redo: step('future'), setProblems, flush };
}
