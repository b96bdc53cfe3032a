// The bindings of this Worker, as wrangler.jsonc names them.
export interface Env {
  DB: D1Database;
  BLOBS: R2Bucket;
  QUEUE: Queue;
}
