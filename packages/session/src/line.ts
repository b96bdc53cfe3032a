// A row of a session's log as it is stored, and as one session hands it to another that forks from it.
export interface Line {
  seq: number;
  type: string;
  /** The event, JSON. */
  data: string;
  /** JSON. */
  note: string | null;
}
