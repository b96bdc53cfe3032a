// Where the failpoints of clocks and couriers are: around what they write, and around what they tell others.
import type { KeeperPorts } from '@capstan/api/deployments/schedule-keeper';
import type { CourierPorts } from '@capstan/api/webhooks/courier';
import { around, marked, type Reach } from '@capstan/shared/failpoints';

export function markKeeper(ports: KeeperPorts, reach: Reach | null): KeeperPorts {
  if (reach === null) return ports;
  const sessions = { expect: 'clock.expect', view: 'clock.view', archive: 'clock.archive' };
  return {
    ...ports,
    db: marked(ports.db, { batch: 'clock.batch' }, reach),
    sessions: marked(ports.sessions, sessions, reach),
    blobs: marked(ports.blobs, { put: 'clock.put' }, reach),
  };
}

export function markCourier(ports: CourierPorts, reach: Reach | null): CourierPorts {
  if (reach === null) return ports;
  return {
    ...ports,
    round: marked(ports.round, { record: 'courier.record' }, reach),
    post: (url, sending) => around('courier.post', reach, () => ports.post(url, sending))(),
  };
}
