// An OAuth 2.0 issuer with Okta's paths and claims, driven over standard input: one JSON value a line, one line of answer.
// It listens on a free port of this machine, says which in its first line, and ends when its input does.
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import mock from 'oauth2-mock-server';

// Its own server is not started: this one counts what is asked for.
const { issuer, service } = new mock.OAuth2Server(undefined, undefined, {
  endpoints: { jwks: '/v1/keys', token: '/v1/token' },
});
let fetches = 0;

// Okta's names beside those of RFC 9068, which the library has itself.
service.on('beforeTokenSigning', ({ payload }, request) => {
  payload.aud = 'api://default';
  payload.cid = request.body.client_id;
  payload.scp = request.body.scope.split(' ');
});

const server = createServer((request, response) => {
  fetches += request.url === '/v1/keys' ? 1 : 0;
  service.requestHandler(request, response);
});

const commands = {
  generate: async (algorithm) => (await issuer.keys.generate(algorithm)).kid,
  add: async (key) => (await issuer.keys.add(key)).kid,
  fetches: async () => fetches,
};

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

server.listen(0, '127.0.0.1', async () => {
  issuer.url = `http://127.0.0.1:${server.address().port}`;
  say(issuer.url);
  for await (const line of createInterface({ input: process.stdin })) {
    const [command, argument] = JSON.parse(line);
    say(await commands[command](argument));
  }
  process.exit(0);
});
