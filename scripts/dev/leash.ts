// Leash, preloaded into every program that `dev` starts: when the other end of standard input closes, which happens
// however `dev` ends, SIGKILL included, the program's whole process group ends too.
import { flushCompileCache } from 'node:module';

const GRACE_MS = 2_000;
const SETTLED_MS = 2_000;
let released = false;

process.stdin.on('end', release);
process.stdin.on('close', release);
process.stdin.on('error', release);
process.stdin.resume();
// Being held must not keep a program alive that has finished.
if ('unref' in process.stdin && typeof process.stdin.unref === 'function') process.stdin.unref();

// Kept although the program may be killed later: the next start then neither compiles nor strips types again.
setTimeout(flushCompileCache, SETTLED_MS).unref();

function release(): void {
  if (released) return;
  released = true;
  if (process.listenerCount('SIGTERM') === 0) endGroup();
  // A program that listens may leave its state tidy; its own children end with it whether it does or not.
  process.on('exit', endGroup);
  setTimeout(endGroup, GRACE_MS);
  process.kill(process.pid, 'SIGTERM');
}

function endGroup(): void {
  process.kill(-process.pid, 'SIGKILL');
}
