'use client';

import { Button, Checkbox, MultiSelect, NumberInput, Select, Textarea, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconKey, IconPlus } from '@tabler/icons-react';
import { NeedsRole } from '../../../../ui/NeedsRole.tsx';
import { CreateSecret, useSecretNames } from '../../../secrets/api.tsx';
import { useNeeds } from '../../../tenancy/api.tsx';
import { isSecretReference, type SecretReference } from '../../settings/secret-reference.ts';
import type { Field, Json, Option } from '../../settings/to-form.ts';
import { type FieldInputProps, useFormContext } from './form-context.ts';
import { GroupInput } from './GroupInput.tsx';
import { JsonInput } from './JsonInput.tsx';
import { ListInput } from './ListInput.tsx';
import { MapInput } from './MapInput.tsx';
import { VariantsInput } from './VariantsInput.tsx';

/** One setting, by the kind of its value. */
export function FieldInput({ field, ...rest }: FieldInputProps) {
  switch (field.kind) {
    case 'text':
      return <TextField field={field} {...rest} />;
    case 'number':
      return <NumberField field={field} {...rest} />;
    case 'flag':
      return <FlagField field={field} {...rest} />;
    case 'choice':
      return <ChoiceField field={field} {...rest} />;
    case 'choices':
      return <ChoicesField field={field} {...rest} />;
    case 'secret':
      return <SecretField field={field} {...rest} />;
    // Its group writes it.
    case 'fixed':
      return null;
    case 'group':
      return <GroupInput field={field} {...rest} />;
    case 'list':
      return <ListInput field={field} {...rest} />;
    case 'map':
      return <MapInput field={field} {...rest} />;
    case 'variants':
      return <VariantsInput field={field} {...rest} />;
    case 'json':
      return <JsonInput field={field} {...rest} />;
  }
}

type PropsOf<K extends Field['kind']> = FieldInputProps<Field & { kind: K }>;

/** What all controls have in common; Mantine ties label, help and error to the control. */
function useControl(field: Field, pointer: string) {
  const { errorAt, touch, idOf, readOnly } = useFormContext();
  return {
    id: idOf(pointer),
    label: field.title,
    description: field.help ?? undefined,
    withAsterisk: field.required,
    error: errorAt(pointer),
    onBlur: () => touch(pointer),
    disabled: readOnly,
  };
}

function placeholderOf(field: Field): string | undefined {
  const { fallback, example } = field;
  const unit = field.kind === 'number' && field.unit !== null ? ` ${field.unit}` : '';
  if (typeof fallback === 'number') return `${fallback.toLocaleString('en')}${unit} unless set`;
  // An empty text is nothing that one could read.
  if (typeof fallback === 'string' && fallback !== '') return `${fallback} unless set`;
  return example ?? undefined;
}

function TextField({ field, pointer, value, onChange }: PropsOf<'text'>) {
  const control = useControl(field, pointer);
  const text = typeof value === 'string' ? value : '';
  const set = (next: string) => onChange(next === '' ? undefined : next);
  const placeholder = placeholderOf(field);
  if (field.long)
    return (
      <Textarea {...control} autosize minRows={3} maxRows={14} placeholder={placeholder} value={text} onChange={(event) => set(event.currentTarget.value)} />
    );
  return (
    <TextInput
      {...control}
      // A browser's own check would speak beside ours.
      type="text"
      inputMode={field.input}
      placeholder={placeholder}
      value={text}
      onChange={(event) => set(event.currentTarget.value)}
    />
  );
}

function NumberField({ field, pointer, value, onChange }: PropsOf<'number'>) {
  const control = useControl(field, pointer);
  return (
    <NumberInput
      {...control}
      size="sm"
      maw={280}
      // What is out of range is told, not changed under one's hands.
      clampBehavior="none"
      allowDecimal={!field.whole}
      {...(field.min !== null && { min: field.min })}
      {...(field.max !== null && { max: field.max })}
      thousandSeparator=","
      suffix={field.unit === null ? undefined : ` ${field.unit}`}
      placeholder={placeholderOf(field)}
      value={typeof value === 'number' ? value : ''}
      onChange={(next) => onChange(typeof next === 'number' ? next : undefined)}
    />
  );
}

function FlagField({ field, pointer, value, onChange }: PropsOf<'flag'>) {
  const { withAsterisk: _asterisk, ...control } = useControl(field, pointer);
  const checked = typeof value === 'boolean' ? value : field.fallback === true;
  return <Checkbox {...control} checked={checked} onChange={(event) => onChange(event.currentTarget.checked)} />;
}

function ChoiceField({ field, pointer, value, onChange }: PropsOf<'choice'>) {
  const control = useControl(field, pointer);
  const fallback = field.options.find((option) => isSame(option.value, field.fallback));
  return (
    <Select
      {...control}
      maw={420}
      data={choices(field.options)}
      value={indexOf(field.options, value)}
      onChange={(index) => onChange(index === null ? undefined : field.options[Number(index)]?.value)}
      placeholder={fallback ? `${fallback.title} unless set` : 'Choose one'}
      allowDeselect={false}
      clearable={!field.required}
    />
  );
}

function ChoicesField({ field, pointer, value, onChange }: PropsOf<'choices'>) {
  const control = useControl(field, pointer);
  const chosen = Array.isArray(value) ? value.flatMap((item) => indexOf(field.options, item) ?? []) : [];
  const fallback = Array.isArray(field.fallback) ? field.options.filter((option) => (field.fallback as Json[]).some((item) => isSame(option.value, item))) : [];
  return (
    <MultiSelect
      {...control}
      size="sm"
      data={choices(field.options)}
      {...(chosen.length === 0 && fallback.length > 0 && { placeholder: `${fallback.map(({ title }) => title).join(', ')} unless set` })}
      value={chosen}
      onChange={(indexes) =>
        onChange(indexes.length === 0 && !field.required ? undefined : indexes.map((index) => field.options[Number(index)]?.value ?? null))
      }
    />
  );
}

/** Only the name: values are kept elsewhere, sealed, and reach the connector on its node. */
function SecretField({ field, pointer, value, onChange }: PropsOf<'secret'>) {
  const control = useControl(field, pointer);
  const { hostsFor } = useFormContext();
  const needsWrite = useNeeds('secret.write');
  const [creating, create] = useDisclosure(false);
  const names = useSecretNames();
  const chosen = isSecretReference(value) ? value.$secret : null;
  const isMissing = chosen !== null && names !== undefined && !names.includes(chosen);
  const rule = 'One of your organisation’s secrets. Its value is told to the connector alone.';
  return (
    <div>
      <Select
        {...control}
        description={field.help ? `${field.help} ${rule}` : rule}
        maw={420}
        leftSection={<IconKey size={16} aria-hidden />}
        // A name that there is no secret for stays to be seen, with what is wrong about it.
        data={[...(names ?? []), ...(chosen !== null && !names?.includes(chosen) ? [chosen] : [])]}
        error={control.error ?? (isMissing ? `There is no secret called “${chosen}”` : undefined)}
        placeholder={names?.length === 0 ? 'There are no secrets yet' : 'Choose a secret'}
        searchable
        clearable={!field.required}
        allowDeselect={false}
        nothingFoundMessage="No secret has such a name"
        value={chosen}
        onChange={(name) => onChange(name === null ? undefined : toReference(name))}
      />
      <NeedsRole role={needsWrite}>
        {(disabled) => (
          <Button
            variant="subtle"
            size="compact-xs"
            mt={4}
            leftSection={<IconPlus size={14} aria-hidden />}
            disabled={disabled || control.disabled}
            aria-label={`New secret for ${field.title}`}
            onClick={create.open}
          >
            New secret…
          </Button>
        )}
      </NeedsRole>
      {creating && <CreateSecret onClose={create.close} onCreated={(name) => onChange(toReference(name))} hosts={hostsFor(pointer)} />}
    </div>
  );
}

function toReference(name: string): SecretReference & { [key: string]: Json } {
  return { $secret: name };
}

function choices(options: Option[]): { value: string; label: string }[] {
  return options.map((option, index) => ({ value: String(index), label: option.title }));
}

function indexOf(options: Option[], value: Json | undefined): string | null {
  const index = options.findIndex((option) => isSame(option.value, value));
  return index < 0 ? null : String(index);
}

function isSame(a: Json, b: Json | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
