// What a session's workspace needs from its host: its resources, their content, and a place for what its agents make.
import type { Checkout } from '@capstan/schema/resources';

export type Mountable =
  | { type: 'file'; id: string; mountPath: string; fileId: string; sizeBytes: number }
  | {
      type: 'github_repository';
      id: string;
      mountPath: string;
      url: string;
      checkout: Checkout | null;
      /** It was given an authorization token. */
      hasToken: boolean;
    };

export interface Output {
  /** Relative to the outputs directory, without `.` and `..`. */
  path: string;
  content: AsyncIterable<Uint8Array>;
}

export interface SessionFiles {
  /** Whether the resources may be others than at the last call of `resources`. */
  stale(): boolean;
  resources(): Promise<Mountable[]>;
  /** Whether a repository has an authorization token; leaves `stale` as it is. */
  holdsTokens(): Promise<boolean>;
  /** The authorization token of a repository. Null: it has none. Rejects when this server cannot open it. */
  token(resourceId: string): Promise<string | null>;
  /** The content of a file. Null: it is gone. */
  open(fileId: string): Promise<ReadableStream<Uint8Array> | null>;
  /** Keeps them as files of the session, once for each path and content. Rejects with what a content rejects with; none is kept then. */
  keep(outputs: readonly Output[]): Promise<void>;
}

export type RecordName = 'mounts' | 'outputs' | 'outputs_owed' | 'skills' | 'memories';

/** What a session remembers of its workspace: survives the process, and means nothing but to who wrote it. */
export interface WorkspaceRecord {
  load(name: RecordName): string | null;
  save(name: RecordName, text: string): void;
}
