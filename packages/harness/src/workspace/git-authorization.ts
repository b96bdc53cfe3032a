// How git is told to send a placeholder to one repository and no other: in a file of settings, or in variables, which leave
// nothing behind. Each begins anew, so that who is told twice sends it once.

export interface Authorization {
  url: string;
  placeholder: string;
}

/** The text of a file of git settings. */
export function gitSettings(authorizations: readonly Authorization[]): string {
  return authorizations
    .flatMap(({ url, placeholder }) =>
      formsOf(url).map(
        (form) => `[http "${form}"]\n\textraHeader =\n\textraHeader = ${headerOf(placeholder)}\n`,
      ),
    )
    .join('');
}

/** Variables of one git command. */
export function gitVariables({ url, placeholder }: Authorization): Record<string, string> {
  const settings = formsOf(url).flatMap((form) =>
    ['', headerOf(placeholder)].map((value) => [`http.${form}.extraHeader`, value] as const),
  );
  const pairs = settings.flatMap(([key, value], index) => [
    [`GIT_CONFIG_KEY_${index}`, key],
    [`GIT_CONFIG_VALUE_${index}`, value],
  ]);
  return { GIT_CONFIG_COUNT: String(settings.length), ...Object.fromEntries(pairs) };
}

/** Git takes a setting for the urls below the one it names: with `.git` and without are two. */
function formsOf(text: string): [string, string] {
  const { origin, pathname } = new URL(text);
  const bare = `${origin}${pathname.replace(/\/+$/, '').replace(/\.git$/, '')}`;
  return [bare, `${bare}.git`];
}

function headerOf(placeholder: string): string {
  return `Authorization: Basic ${btoa(`x-access-token:${placeholder}`)}`;
}
