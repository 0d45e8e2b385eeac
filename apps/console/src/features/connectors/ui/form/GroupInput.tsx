'use client';

import { pointerTo } from '../../settings/pointer.ts';
import type { Field, Json, Member } from '../../settings/to-form.ts';
import { FieldSet } from './FieldSet.tsx';
import { type FieldInputProps, useFormContext } from './form-context.ts';
import classes from './SettingsForm.module.css';

export function GroupInput(props: FieldInputProps<Field & { kind: 'group' }>) {
  return (
    <FieldSet field={props.field} pointer={props.pointer}>
      <Members members={props.field.members} {...props} />
    </FieldSet>
  );
}

/** The fields of a group, without a frame of their own. */
export function Members({ members, field, pointer, value, onChange }: { members: Member[] } & FieldInputProps) {
  const { Input } = useFormContext();
  const record = typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
  const set = (key: string, next: Json | undefined) => {
    const { [key]: _before, ...rest } = record;
    const changed = withFixed(members, next === undefined ? rest : inOrder(record, key, next));
    const isEmpty = Object.keys(changed).length === 0;
    onChange(isEmpty && !field.required ? undefined : changed);
  };
  const shown = members.filter(({ key, field: member }) => !member.deprecated || (record[key] !== undefined && record[key] !== member.fallback));
  return (
    <div className={classes.fields}>
      {shown.map(({ key, field: member }) => (
        <Input key={key} field={member} pointer={pointerTo(pointer, key)} value={record[key]} onChange={(next) => set(key, next)} />
      ))}
    </div>
  );
}

/** Where a key was, it stays. */
function inOrder(record: { [key: string]: Json }, key: string, value: Json): { [key: string]: Json } {
  return { ...record, [key]: value };
}

/** What has one value only need not be chosen by anybody. */
function withFixed(members: Member[], record: { [key: string]: Json }): { [key: string]: Json } {
  if (Object.keys(record).length === 0) return record;
  const fixed = members.flatMap(({ key, field }): [string, Json][] => (field.kind === 'fixed' && field.required ? [[key, field.value]] : []));
  return { ...record, ...Object.fromEntries(fixed) };
}
