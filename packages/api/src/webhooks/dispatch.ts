// What the API asks of whoever delivers webhooks: an RPC interface of the jobs Worker.
export interface WebhookDispatch {
  /** There is an endpoint, or will be in a moment: from now on the outbox is watched. */
  watchOutbox(): Promise<void>;
  /** Something is due to that endpoint. */
  ringCourier(address: { tenantId: string; endpointId: string }): Promise<void>;
}
