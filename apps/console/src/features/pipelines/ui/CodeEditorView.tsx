'use client';

import { autocompletion } from '@codemirror/autocomplete';
import { javascript } from '@codemirror/lang-javascript';
import { HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { type Diagnostic, lintGutter, setDiagnostics } from '@codemirror/lint';
import { Annotation, EditorState, type Extension } from '@codemirror/state';
import { EditorView } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { basicSetup } from 'codemirror';
import { useEffect, useRef } from 'react';
import type { CodeProblem } from '../types.ts';

interface CodeEditorProps {
  value: string;
  /** For screen readers: "TypeScript of Reshape order". */
  label: string;
  language: 'typescript' | 'json' | 'text';
  problems?: CodeProblem[];
  readOnly?: boolean;
  /** Completion and hover. Must stay the same object. */
  support?: Extension;
  /** Takes the whole of its place, without a border of its own. Otherwise it is as high as its text, up to `maxHeight`. */
  fill?: boolean;
  maxHeight?: number;
  /** Puts the cursor there and shows it, each time it is another object. */
  goTo?: { line: number; column: number } | null;
  onChange?: (value: string) => void;
}

/** CodeMirror with our colours. Tab leaves the editor (Escape first while a completion is open), so that the keyboard is never trapped. */
export function CodeEditorView({
  value,
  label,
  language,
  problems = none,
  readOnly = false,
  support = noExtension,
  fill = false,
  maxHeight = 480,
  goTo = null,
  onChange,
}: CodeEditorProps) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const changed = useRef(onChange);
  changed.current = onChange;
  const initial = useRef(value);

  useEffect(() => {
    if (!host.current) return;
    const editor = new EditorView({
      parent: host.current,
      state: EditorState.create({
        doc: initial.current,
        extensions: [
          basicSetup,
          language === 'text' ? EditorView.lineWrapping : javascript({ typescript: language === 'typescript' }),
          language === 'typescript' ? lintGutter() : autocompletion({ override: [] }),
          support,
          syntaxHighlighting(colours),
          look,
          EditorView.theme(language === 'typescript' ? {} : { '&': { fontSize: '12px' }, '.cm-scroller': { lineHeight: '18px' } }),
          EditorView.theme(fill ? { '&': { height: '100%' } } : { '.cm-scroller': { minHeight: '80px', maxHeight: `${maxHeight}px` } }),
          EditorView.contentAttributes.of({ 'aria-label': label, tabindex: '0' }),
          EditorState.readOnly.of(readOnly),
          EditorView.updateListener.of((update) => {
            if (update.docChanged && !update.transactions.some((transaction) => transaction.annotation(fromOutside)))
              changed.current?.(update.state.doc.toString());
          }),
        ],
      }),
    });
    view.current = editor;
    return () => {
      view.current = null;
      editor.destroy();
    };
  }, [language, label, readOnly, support, fill, maxHeight]);

  useEffect(() => {
    const editor = view.current;
    initial.current = value;
    // Undo, a conflict or a chosen sample: the text came from outside. What was typed here is there already.
    if (editor && editor.state.doc.toString() !== value)
      editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value }, annotations: fromOutside.of(true) });
  }, [value]);

  useEffect(() => {
    const editor = view.current;
    if (!editor) return;
    editor.dispatch(
      setDiagnostics(
        editor.state,
        problems.map((problem) => toDiagnostic(editor.state, problem)),
      ),
    );
  }, [problems]);

  useEffect(() => {
    const editor = view.current;
    if (!editor || !goTo) return;
    const at = offsetOf(editor.state, goTo.line, goTo.column);
    editor.dispatch({ selection: { anchor: at }, effects: EditorView.scrollIntoView(at, { y: 'center' }) });
    editor.focus();
  }, [goTo]);

  return <div ref={host} style={fill ? filling : framed} />;
}

/** A text that the page put in: telling the page of it would be one more edit, and the end of redo. */
const fromOutside = Annotation.define<boolean>();
const none: CodeProblem[] = [];
const noExtension: Extension = [];
const filling = { height: '100%', overflow: 'hidden' } as const;
const framed = { border: '1px solid var(--vr-line)', borderRadius: 'var(--mantine-radius-md)', overflow: 'hidden' } as const;

function toDiagnostic(state: EditorState, problem: CodeProblem): Diagnostic {
  const from = offsetOf(state, problem.line, problem.column);
  return { from, to: Math.max(from, offsetOf(state, problem.endLine, problem.endColumn)), severity: problem.severity, message: problem.message };
}

function offsetOf(state: EditorState, line: number, column: number): number {
  const row = state.doc.line(Math.min(Math.max(1, line), state.doc.lines));
  return Math.min(row.to, row.from + Math.max(0, column - 1));
}

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.modifier, tags.operatorKeyword], color: 'var(--vr-accent-fg)' },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], color: 'var(--vr-good-fg)' },
  { tag: [tags.number, tags.bool, tags.null], color: 'var(--vr-wait-fg)' },
  { tag: [tags.comment], color: 'var(--vr-dim)', fontStyle: 'italic' },
  { tag: [tags.typeName, tags.className], color: 'var(--vr-quiet-fg)' },
  { tag: [tags.propertyName], color: 'var(--vr-text)' },
  { tag: [tags.function(tags.variableName), tags.function(tags.propertyName)], fontWeight: '600' },
]);

const look = EditorView.theme({
  '&': { backgroundColor: 'var(--vr-surface)', color: 'var(--vr-text)', fontSize: '13px' },
  '&.cm-focused': { outline: '2px solid var(--vr-accent-solid)', outlineOffset: '-2px' },
  '.cm-scroller': { fontFamily: 'var(--mantine-font-family-monospace)', lineHeight: '20px', overflow: 'auto' },
  '.cm-content': { caretColor: 'var(--vr-text)', padding: '8px 0' },
  '.cm-cursor': { borderLeftColor: 'var(--vr-text)' },
  '.cm-gutters': { backgroundColor: 'var(--vr-sunken)', color: 'var(--vr-dim)', border: 'none' },
  '.cm-activeLine': { backgroundColor: 'color-mix(in srgb, var(--vr-accent-solid) 6%, transparent)' },
  '.cm-activeLineGutter': { backgroundColor: 'transparent', color: 'var(--vr-text)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    backgroundColor: 'color-mix(in srgb, var(--vr-accent-solid) 22%, transparent)',
  },
  '.cm-tooltip': { backgroundColor: 'var(--vr-surface)', border: '1px solid var(--vr-line)', borderRadius: '6px', color: 'var(--vr-text)', maxWidth: '480px' },
  '.cm-tooltip-autocomplete > ul > li[aria-selected]': { backgroundColor: 'var(--vr-accent-bg)', color: 'var(--vr-text)' },
  '.cm-tooltip-autocomplete > ul': { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: '12px' },
  '.cm-completionInfo': { padding: '8px 10px', maxWidth: '420px' },
  '.cm-help': { padding: '8px 10px', fontSize: '12px', lineHeight: '18px' },
  '.cm-signature': { margin: 0, fontFamily: 'var(--mantine-font-family-monospace)', whiteSpace: 'pre-wrap' },
  '.cm-documentation': { margin: '4px 0 0', fontFamily: 'var(--mantine-font-family)', color: 'var(--vr-dim)', whiteSpace: 'pre-wrap' },
  '.cm-gutter-lint': { width: '14px' },
  '.cm-diagnostic': { fontFamily: 'var(--mantine-font-family)', fontSize: '13px' },
});
