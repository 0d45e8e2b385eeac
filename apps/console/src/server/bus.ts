import { type BusAdmin, createBusAdmin } from '@vrsky/bus/admin';
import { log } from './log.ts';
import type { Platform } from './platform.ts';
import { singleton } from './singleton.ts';

/** The console's own hand on NATS: it reads stored messages, sends dead letters again and asks nodes to run steps. Connects when first used. */
export function getBus(platform: Platform): BusAdmin {
  return singleton('bus', () => createBusAdmin({ url: platform.config.natsUrl, keys: platform.nats, name: 'vrsky console', log: (line) => log.warn(line) }));
}
