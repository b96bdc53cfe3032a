// An agent that another writes for one thread: its words alone. Its model and its tools are its author's.

export interface InlineWords {
  name: string;
  description: string | null;
  system: string;
}
