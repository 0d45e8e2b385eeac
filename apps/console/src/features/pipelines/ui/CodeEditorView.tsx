'use client';

import { autocompletion, type CompletionContext } from '@codemirror/autocomplete';
import { javascript, javascriptLanguage } from '@codemirror/lang-javascript';
import { HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { type Diagnostic, setDiagnostics } from '@codemirror/lint';
import { Compartment, EditorState } from '@codemirror/state';
import { EditorView } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { basicSetup } from 'codemirror';
import { useEffect, useRef } from 'react';
import type { CodeProblem } from '../types.ts';

interface CodeEditorProps {
  value: string;
  /** For screen readers: "TypeScript of Reshape order". */
  label: string;
  language: 'typescript' | 'json';
  problems?: CodeProblem[];
  readOnly?: boolean;
  minHeight?: number;
  maxHeight?: number;
  onChange?: (value: string) => void;
}

/** CodeMirror with our colours. Tab leaves the editor (Escape first while a completion is open), so that the keyboard is never trapped. */
export function CodeEditorView({ value, label, language, problems = [], readOnly = false, minHeight = 220, maxHeight = 480, onChange }: CodeEditorProps) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const changed = useRef(onChange);
  changed.current = onChange;
  const initial = useRef(value);
  const sizes = useRef(new Compartment());

  useEffect(() => {
    if (!host.current) return;
    const editor = new EditorView({
      parent: host.current,
      state: EditorState.create({
        doc: initial.current,
        extensions: [
          basicSetup,
          javascript({ typescript: language === 'typescript' }),
          javascriptLanguage.data.of({ autocomplete: language === 'typescript' ? completeMessage : () => null }),
          autocompletion(),
          syntaxHighlighting(colours),
          look,
          sizes.current.of(EditorView.theme({ '.cm-scroller': { minHeight: `${minHeight}px`, maxHeight: `${maxHeight}px` } })),
          EditorView.contentAttributes.of({ 'aria-label': label, tabindex: '0' }),
          EditorState.readOnly.of(readOnly),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) changed.current?.(update.state.doc.toString());
          }),
        ],
      }),
    });
    view.current = editor;
    return () => {
      view.current = null;
      editor.destroy();
    };
  }, [language, label, readOnly, minHeight, maxHeight]);

  useEffect(() => {
    const editor = view.current;
    initial.current = value;
    // Undo, a conflict or a chosen sample: the text came from outside. What was typed here is there already.
    if (editor && editor.state.doc.toString() !== value) editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } });
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

  return <div ref={host} style={{ border: '1px solid var(--vr-line)', borderRadius: 'var(--mantine-radius-md)', overflow: 'hidden' }} />;
}

function toDiagnostic(state: EditorState, problem: CodeProblem): Diagnostic {
  const at = (line: number, column: number) => {
    const row = state.doc.line(Math.min(Math.max(1, line), state.doc.lines));
    return Math.min(row.to, row.from + Math.max(0, column - 1));
  };
  const from = at(problem.line, problem.column);
  return { from, to: Math.max(from, at(problem.endLine, problem.endColumn)), severity: problem.severity, message: problem.message };
}

const members = [
  { label: 'json', type: 'method', detail: '()', info: 'The body, parsed as JSON. Throws a clear error when it is not.', apply: 'json()' },
  { label: 'text', type: 'method', detail: '()', info: 'The body as text (UTF-8).', apply: 'text()' },
  { label: 'bytes', type: 'method', detail: '()', info: 'The body as bytes.', apply: 'bytes()' },
  { label: 'headers', type: 'property', info: 'Headers of the request, names in lower case.' },
  { label: 'contentType', type: 'property', info: 'The content type of the body.' },
  { label: 'id', type: 'property', info: 'The id of the message.' },
  { label: 'customerId', type: 'property', info: 'Your Customer-ID, set by the platform.' },
  { label: 'traceId', type: 'property', info: 'The trace this message belongs to.' },
  { label: 'receivedAt', type: 'property', info: 'When it was received, ISO 8601.' },
];

function completeMessage(context: CompletionContext) {
  const word = context.matchBefore(/\bmessage\.\w*/);
  if (!word) return null;
  return { from: word.from + 'message.'.length, options: members, validFor: /^\w*$/ };
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
  '.cm-diagnostic': { fontFamily: 'var(--mantine-font-family)', fontSize: '13px' },
});
