// The list before there is anything in it: start here, or with curl.
import { PlusIcon } from '@phosphor-icons/react';
import { ButtonLink } from '../ui/button-link.tsx';
import { CodeSample } from '../ui/code-sample.tsx';
import { Page } from '../ui/page.tsx';

export function FirstSteps() {
  return (
    <Page title="Sessions">
      <section className="mb-6 rounded-xl bg-kumo-base px-6 py-10 text-center ring ring-kumo-hairline">
        <h2 className="text-lg font-semibold text-kumo-strong">No sessions yet</h2>
        <p className="mx-auto mt-1 mb-5 max-w-md text-kumo-subtle">
          A session is one durable conversation of an agent, with its own sandbox. Start one here, or send the
          first request yourself.
        </p>
        <ButtonLink to="/sessions/new" variant="primary" className="mx-auto">
          <PlusIcon weight="bold" /> Start a session
        </ButtonLink>
      </section>
      <CodeSample title="With curl" code={firstRequests(location.origin)} />
    </Page>
  );
}

function firstRequests(origin: string): string {
  return `export CAPSTAN=${origin}
export CAPSTAN_API_KEY=…   # printed when the platform started

post() { curl -sS "$CAPSTAN$1" -H "x-api-key: $CAPSTAN_API_KEY" -H 'content-type: application/json' -d "$2"; }

AGENT=$(post /v1/agents '{"name":"First agent","model":"claude-sonnet-4-6","tools":[{"type":"bash"}]}' \\
  | grep -o 'agent_[0-9a-z]*' | head -1)
SESSION=$(post /v1/sessions "{\\"agent\\":\\"$AGENT\\",\\"title\\":\\"First session\\"}" \\
  | grep -o 'sesn_[0-9a-z]*' | head -1)
post "/v1/sessions/$SESSION/events" \\
  '{"events":[{"type":"user.message","content":[{"type":"text","text":"Run: uname -a"}]}]}'

echo "$CAPSTAN/sessions/$SESSION"`;
}
