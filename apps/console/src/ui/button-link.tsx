// A link that looks like a button and stays inside the Console.
import { LinkButton } from '@cloudflare/kumo/components/button';
import { createLink } from '@tanstack/react-router';

export const ButtonLink = createLink(LinkButton);
