// Glob patterns (`*`, `?`, `**`, `[a-z]`, `{a,b}`) as POSIX extended regular expressions over absolute paths.

/** Throws SyntaxError that names what is wrong with the pattern. */
export function toPosixRegex(root: string, pattern: string): string {
  const base = pattern.startsWith('/') ? '' : root.replace(/\/$/, '');
  return `${quote(base)}${pattern.startsWith('/') ? '' : '/'}${translate(pattern)}`;
}

/** The directory every match is below: the search can start there. */
export function searchRoot(root: string, pattern: string): string {
  const literal: string[] = [];
  for (const part of pattern.split('/').slice(0, -1)) {
    if (/[*?[{\\]/.test(part) || part === '..' || part === '.') break;
    literal.push(part);
  }
  const path = literal.filter((part) => part !== '').join('/');
  if (pattern.startsWith('/')) return `/${path}`;
  return path === '' ? root : `${root.replace(/\/$/, '')}/${path}`;
}

function translate(pattern: string): string {
  let out = '';
  let depth = 0;
  let at = 0;
  while (at < pattern.length) {
    const char = pattern.charAt(at);
    if (pattern.startsWith('**/', at) && (at === 0 || pattern.charAt(at - 1) === '/')) {
      out += '(.*/)?';
      at += 3;
      continue;
    }
    if (pattern.startsWith('**', at)) {
      out += '.*';
      at += 2;
      continue;
    }
    if (char === '[') {
      const [set, length] = bracket(pattern.slice(at));
      out += set;
      at += length;
      continue;
    }
    if (char === '\\') {
      if (at + 1 >= pattern.length) throw new SyntaxError('it ends in a backslash');
      out += quote(pattern.charAt(at + 1));
      at += 2;
      continue;
    }
    if (char === '*') out += '[^/]*';
    else if (char === '?') out += '[^/]';
    else if (char === '{') {
      out += '(';
      depth++;
    } else if (char === '}' && depth > 0) {
      out += ')';
      depth--;
    } else if (char === ',' && depth > 0) out += '|';
    else out += quote(char);
    at++;
  }
  if (depth > 0) throw new SyntaxError('a "{" is not closed');
  return out;
}

/** A bracket expression, and how much of the pattern it took. */
function bracket(rest: string): [string, number] {
  const negated = rest.charAt(1) === '!' || rest.charAt(1) === '^';
  const start = negated ? 2 : 1;
  // A "]" that comes first belongs to the set.
  const end = rest.indexOf(']', start + 1);
  if (end < 0) throw new SyntaxError('a "[" is not closed');
  const set = rest.slice(start, end);
  if (set.includes('/')) throw new SyntaxError('a "[...]" must not contain "/"');
  if (!negated) return [`[${set}]`, end + 1];
  // No name has a slash in it; a "]" has to stay first.
  return [set.startsWith(']') ? `[^]/${set.slice(1)}]` : `[^/${set}]`, end + 1];
}

function quote(text: string): string {
  return text.replace(/[.^$*+?()[\]{}|\\]/g, '\\$&');
}
