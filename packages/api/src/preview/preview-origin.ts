// The origin of a preview: `<port>-<session>.<preview host>`. A page there shares nothing with the platform's own origin, nor
// with the previews of other sessions and ports.
import { ID_PREFIXES } from '@capstan/schema/ids';

export interface PreviewPlace {
  sessionId: string;
  port: number;
}

const LABEL = /^(\d{1,5})-([0-9a-z]{24})$/;

/** Both in lower case, without a port. */
export function toPreviewHost({ sessionId, port }: PreviewPlace, previewHost: string): string {
  return `${port}-${sessionId.slice(sessionId.indexOf('_') + 1)}.${previewHost}`;
}

/** Whether the host is the previews', whatever is to be shown there. */
export function isPreviewHost(host: string, previewHost: string): boolean {
  return host === previewHost || host.endsWith(`.${previewHost}`);
}

/** Null when the host names no preview. */
export function toPreviewPlace(host: string, previewHost: string): PreviewPlace | null {
  if (!host.endsWith(`.${previewHost}`)) return null;
  const [, port, suffix] = LABEL.exec(host.slice(0, -previewHost.length - 1)) ?? [];
  const place = { sessionId: `${ID_PREFIXES.session}_${suffix}`, port: Number(port) };
  return place.port >= 1 && place.port <= 65_535 ? place : null;
}
