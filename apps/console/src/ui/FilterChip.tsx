'use client';

import { Menu } from '@mantine/core';
import { IconChevronDown, IconX } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import classes from './FilterChip.module.css';

interface FilterChipProps {
  /** What is filtered: "State". */
  label: string;
  options: { value: string; label: string; mark?: ReactNode }[];
  selected: string[];
  onChange: (selected: string[]) => void;
  /** One at a time instead of any number. */
  single?: boolean;
}

/** A filter of a list: the chip says what is chosen, its menu changes it, its cross takes it away. */
export function FilterChip({ label, options, selected, onChange, single = false }: FilterChipProps) {
  const active = selected.length > 0;
  const words = options.filter((option) => selected.includes(option.value)).map((option) => option.label);
  const toggle = (value: string) => {
    if (selected.includes(value)) onChange(selected.filter((item) => item !== value));
    else onChange(single ? [value] : [...selected, value]);
  };
  return (
    <span className={classes.group}>
      <Menu position="bottom-start">
        <Menu.Target>
          <button type="button" className={classes.chip} data-active={active || undefined}>
            {active ? `${label}: ${words.length > 2 ? `${words.length} chosen` : words.join(', ')}` : label}
            {!active && <IconChevronDown size={14} aria-hidden />}
          </button>
        </Menu.Target>
        <Menu.Dropdown>
          {options.map((option) => (
            <Menu.CheckboxItem key={option.value} checked={selected.includes(option.value)} onChange={() => toggle(option.value)} closeMenuOnClick={single}>
              {option.mark ?? option.label}
            </Menu.CheckboxItem>
          ))}
          {options.length === 0 && <Menu.Label>Nothing to choose from</Menu.Label>}
        </Menu.Dropdown>
      </Menu>
      {active && (
        <button type="button" className={classes.clear} onClick={() => onChange([])} aria-label={`Clear filter ${label}`}>
          <IconX size={13} aria-hidden />
        </button>
      )}
    </span>
  );
}
