import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';

const MODULE = new URL('./tree-removal.ts', import.meta.url).href;
const UNPRIVILEGED = 65_533;

function makeTree(): string {
  const tree = mkdtempSync(join(tmpdir(), 'tree-'));
  onTestFinished(() => rmSync(tree, { recursive: true, force: true }));
  for (const [name, mode] of [
    ['locked', 0o000],
    ['fixed', 0o555],
  ] as const) {
    mkdirSync(join(tree, name));
    writeFileSync(join(tree, name, 'file'), '');
    chownSync(join(tree, name, 'file'), owner().uid, owner().uid);
    chmodSync(join(tree, name), mode);
    chownSync(join(tree, name), owner().uid, owner().uid);
  }
  chownSync(tree, owner().uid, owner().uid);
  return tree;
}

/** An ordinary user: permissions do not stop root. */
function owner(): { uid: number } {
  const uid = process.getuid?.() ?? 0;
  return { uid: uid === 0 ? UNPRIVILEGED : uid };
}

function removeAsOwner(tree: string): void {
  const script = `import('${MODULE}').then((m) => m.removeTrees('${tree}'))`;
  execFileSync(process.execPath, ['-e', script], { uid: owner().uid, stdio: 'pipe', cwd: '/' });
}

describe('removeTrees', { timeout: 60_000 }, () => {
  it('removes directories that nobody may read or write', () => {
    const tree = makeTree();
    removeAsOwner(tree);
    expect(existsSync(tree)).toBe(false);
  });

  it('removes a tree deeper than the longest path', () => {
    const tree = makeTree();
    const dig = 'for i in $(seq 60); do mkdir "$1" && cd -P "$1" || exit; done';
    execFileSync('bash', ['-c', dig, 'bash', 'd'.repeat(200)], { cwd: tree, uid: owner().uid });
    removeAsOwner(tree);
    expect(existsSync(tree)).toBe(false);
  });

  it('follows no link out of the tree', () => {
    const [tree, other] = [makeTree(), makeTree()];
    execFileSync('ln', ['-s', other, join(tree, 'link')]);
    removeAsOwner(tree);
    expect([existsSync(tree), existsSync(join(other, 'fixed'))]).toEqual([false, true]);
  });

  it('is content when there is nothing to remove', () => {
    expect(() => removeAsOwner('/nonexistent/tree')).not.toThrow();
  });
});
