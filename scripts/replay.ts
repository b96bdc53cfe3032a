// `pnpm replay FILE`: plays an exported session again, without a network, and says whether the engine still does the same.
import { Difference, Player } from './replay/player.ts';
import { readRecording } from './replay/recording.ts';

const [file] = process.argv.slice(2);
if (file === undefined) {
  console.error('Usage: pnpm replay FILE   (what GET /v1/sessions/{id}/export gave)');
  process.exit(2);
}
try {
  const count = await new Player(readRecording(file)).play();
  console.log(`replayed ${count} rows: the same`);
} catch (error) {
  if (error instanceof Difference) console.error(`not the same at ${error.message}`);
  else console.error(error instanceof Error ? error.message : String(error));
  process.exit(1);
}
process.exit(0);
