// Where a session lives. The tenant is part of the address: another tenant's id names a session that does not exist.
export interface SessionAddress {
  tenantId: string;
  sessionId: string;
}

/** The name of the object that holds the session. */
export function objectName({ tenantId, sessionId }: SessionAddress): string {
  return `${tenantId}/${sessionId}`;
}
