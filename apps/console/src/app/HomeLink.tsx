'use client';

import { Button } from '@mantine/core';
import Link from 'next/link';
import { paths } from '../lib/paths.ts';

export function HomeLink() {
  return (
    <Button component={Link} href={paths.home} variant="default">
      Go to your overview
    </Button>
  );
}
