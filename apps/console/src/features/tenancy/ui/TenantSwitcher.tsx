'use client';

import { Menu } from '@mantine/core';
import { IconCheck, IconSelector } from '@tabler/icons-react';
import Link from 'next/link';
import { paths } from '../../../lib/paths.ts';
import { IdText } from '../../../ui/IdText.tsx';
import { useSession } from '../api.tsx';
import classes from './Shell.module.css';

/** The tenant one is in, its Customer-ID, and the others one belongs to. */
export function TenantSwitcher() {
  const { tenant, tenants } = useSession();
  return (
    <Menu position="bottom-start" width={260}>
      <Menu.Target>
        <button type="button" className={classes.switcher}>
          <Mark name={tenant.name} />
          <span>
            {tenant.name}
            <span className="visually-hidden">: organisation, switch or see its Customer-ID</span>
          </span>
          <IconSelector size={15} aria-hidden />
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>Customer-ID</Menu.Label>
        <div style={{ padding: '0 12px 8px' }}>
          <IdText value={tenant.id} what="Customer-ID" />
        </div>
        <Menu.Divider />
        <Menu.Label>Your organisations</Menu.Label>
        {tenants.map((item) => (
          <Menu.Item
            key={item.slug}
            component={Link}
            href={paths.overview(item.slug)}
            leftSection={<Mark name={item.name} />}
            rightSection={item.slug === tenant.slug ? <IconCheck size={15} aria-label="current" /> : null}
          >
            {item.name}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

/** The first letter, drawn by the style sheet: it is a picture and not a part of the name. */
function Mark({ name }: { name: string }) {
  return <i className={classes.mark} data-letter={name.slice(0, 1)} aria-hidden />;
}
