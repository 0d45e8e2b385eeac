'use client';

import { useNotifications } from '@mantine/notifications';
import dynamic from 'next/dynamic';
import { useState } from 'react';

const Container = dynamic(() => import('@mantine/notifications').then((module) => module.Notifications), { ssr: false });

/** Where `notifications.show` appears. Most visits see no notice: what draws them comes with the first one. */
export function Notices() {
  const { notifications, queue } = useNotifications();
  const [used, setUsed] = useState(false);
  if (!used && notifications.length + queue.length > 0) setUsed(true);
  return used ? <Container position="bottom-right" limit={4} autoClose={6_000} /> : null;
}
