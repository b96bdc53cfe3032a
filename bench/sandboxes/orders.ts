// What the Worker of the sandboxes' bench can be asked to do.
interface InSandbox {
  sandboxId: string;
}

export type Order =
  | { do: 'nothing' }
  | { do: 'create'; name: string; imageId?: string }
  | ({ do: 'terminate' } & InSandbox)
  | ({ do: 'exec'; command: string } & InSandbox)
  | ({ do: 'first-byte' | 'output'; runId: string; command: string } & InSandbox)
  | ({ do: 'read'; path: string } & InSandbox)
  | ({ do: 'write'; path: string; sizeBytes: number } & InSandbox)
  | ({ do: 'snapshot'; snapshotId: string } & InSandbox);
