// A Worker that has what main has of the agent Worker: its RPC entrypoint.
export default {
  fetch(): Response {
    return new Response(null, { status: 404 });
  },
} satisfies ExportedHandler;
