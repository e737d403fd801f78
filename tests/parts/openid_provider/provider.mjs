// A real OpenID provider (npm's oidc-provider) for authsvc's tests.
//
//   node provider.mjs CONFIG.json
//
// CONFIG.json is written by __init__.py beside this file, which also documents
// it. The process listens on a free loopback port and speaks JSON lines: the
// first line on stdout is {"issuer": …}; then each line on stdin is a command,
// and each is answered by one line. It ends when stdin does, so it never
// outlives the test run that started it.

import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createInterface } from 'node:readline';

import Provider, { interactionPolicy } from 'oidc-provider';

// Stdout is for answers; what the library has to say goes to the log.
console.log = console.error;
console.info = console.error;

const config = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const requests = {};
let provider;
let handle;

const page = (title, body) => `<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>${title}</title></head><body><h1>${title}</h1>${body}</body></html>`;

// Scopes and claims ---------------------------------------------------------

const claims = {
  openid: ['sub'],
  profile: ['preferred_username', 'name', 'realm_access'],
  email: ['email', 'email_verified'],
  groups: ['groups'],
};
const scopes = [...Object.keys(claims), 'offline_access'];

function claimsOf(login) {
  return { sub: login, preferred_username: login, ...config.accounts[login] };
}

// Asking the user is not what these tests are about: who logs in has agreed.
async function grantEverything(ctx) {
  const grant = new ctx.oidc.provider.Grant({
    clientId: ctx.oidc.client.clientId,
    accountId: ctx.oidc.session.accountId,
  });
  grant.addOIDCScope(scopes.join(' '));
  for (const resource of Object.keys(config.resources)) {
    grant.addResourceScope(resource, scopes.join(' '));
  }
  await grant.save();
  return grant;
}

function withoutConsentForNativeClients() {
  const policy = interactionPolicy.base();
  policy.get('consent').checks.remove('native_client_prompt');
  return policy;
}

function resourceServer(indicator) {
  const resource = config.resources[indicator];
  return {
    scope: scopes.join(' '),
    audience: resource.audience,
    accessTokenFormat: resource.format,
    accessTokenTTL: config.ttl.AccessToken,
    ...(resource.format === 'jwt' ? { jwt: { sign: { alg: resource.alg } } } : {}),
  };
}

function configuration(keys) {
  return {
    jwks: { keys },
    clients: config.clients,
    clientAuthMethods: [
      'client_secret_basic',
      'client_secret_post',
      'private_key_jwt',
      'none',
      ...(config.tls === null ? [] : ['self_signed_tls_client_auth']),
    ],
    claims,
    scopes,
    conformIdTokenClaims: false, // claims in ID tokens, as most companies' providers do
    cookies: { keys: ['a key of the tests'] },
    enabledJWA: {
      idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519'],
      clientAuthSigningAlgValues: ['RS256', 'ES256', 'EdDSA'],
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      deviceFlow: {
        enabled: true,
        async userCodeInputSource(ctx, form, out, error) {
          const note = error ? `<p id="error">${error.name}</p>` : '';
          ctx.body = page('Enter code', `${note}${form}
<button id="continue" type="submit" form="op.deviceInputForm">Continue</button>`);
        },
        async userCodeConfirmSource(ctx, form, client, device, code) {
          ctx.body = page('Confirm device', `<code>${code}</code>${form}
<button id="continue" type="submit" form="op.deviceConfirmForm">Continue</button>`);
        },
        async successSource(ctx) {
          ctx.body = page('Signed in', '<p>You may close this page.</p>');
        },
      },
      introspection: {
        enabled: true,
        allowedPolicy: (ctx, client) => client.clientAuthMethod !== 'none',
      },
      revocation: { enabled: true },
      userinfo: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => undefined,
        useGrantedResource: () => true,
        getResourceServerInfo: (ctx, indicator) => resourceServer(indicator),
      },
      mTLS: {
        enabled: config.tls !== null,
        selfSignedTlsClientAuth: true,
        getCertificate: (ctx) => {
          const { raw } = ctx.socket.getPeerCertificate(false);
          return raw && `-----BEGIN CERTIFICATE-----\n${raw.toString('base64')}\n-----END CERTIFICATE-----`;
        },
      },
    },
    // What a resource server learns of a user: in JWT access tokens and in the
    // introspection of opaque ones. Tokens for no resource know the sub only,
    // and their holder asks userinfo.
    extraTokenClaims: (ctx, token) => (
      token.accountId && token.aud ? claimsOf(token.accountId) : undefined
    ),
    findAccount: (ctx, login) => ({ accountId: login, claims: async () => claimsOf(login) }),
    interactions: {
      url: (ctx, interaction) => `/interaction/${interaction.uid}`,
      policy: withoutConsentForNativeClients(),
    },
    issueRefreshToken: (ctx, client) => client.grantTypeAllowed('refresh_token'),
    loadExistingGrant: grantEverything,
    rotateRefreshToken: true,
    ttl: Object.fromEntries(
      Object.keys(config.ttl).map((kind) => [kind, () => config.ttl[kind]]),
    ),
  };
}

// The login page: any password is right but "wrong" -------------------------

async function body(request) {
  let text = '';
  for await (const chunk of request) text += chunk;
  return new URLSearchParams(text);
}

async function interaction(request, response) {
  await provider.interactionDetails(request, response); // throws without its cookie
  const form = request.method === 'POST' ? await body(request) : new URLSearchParams();
  if (form.has('deny')) {
    await provider.interactionFinished(request, response, { error: 'access_denied' });
  } else if (form.get('login') && form.get('password') !== 'wrong') {
    await provider.interactionFinished(request, response, {
      login: { accountId: form.get('login') },
    });
  } else {
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    response.end(page('Sign in', `<form method="post">
<input id="login" name="login" autofocus>
<input id="password" name="password" type="password">
<button id="continue" type="submit">Sign in</button>
<button id="deny" type="submit" name="deny" value="yes">Deny</button>
</form>`));
  }
}

function answer(request, response) {
  const path = request.url.split('?')[0];
  requests[path] = (requests[path] ?? 0) + 1;
  if (path.startsWith('/interaction/')) {
    interaction(request, response).catch((error) => {
      response.statusCode = 400;
      response.end(error.name);
    });
  } else {
    handle(request, response);
  }
}

// The process ---------------------------------------------------------------

function useKeys(keys) {
  provider = new Provider(config.issuer, configuration(keys));
  handle = provider.callback();
}

const commands = {
  keys: ({ keys }) => useKeys(keys),
  ttl: ({ ttl }) => { Object.assign(config.ttl, ttl); },
  accounts: ({ accounts }) => { Object.assign(config.accounts, accounts); },
  requests: () => requests,
};

const server = config.tls === null
  ? createHttpServer(answer)
  : createHttpsServer({
    cert: readFileSync(config.tls.certificate),
    key: readFileSync(config.tls.key),
    requestCert: true,
    rejectUnauthorized: false, // self-signed client certificates are checked against the client's keys
  }, answer);

server.listen(config.port, '127.0.0.1', () => {
  config.issuer = `${config.tls === null ? 'http' : 'https'}://127.0.0.1:${server.address().port}`;
  useKeys(config.keys);
  process.stdout.write(`${JSON.stringify({ issuer: config.issuer })}\n`);
  createInterface({ input: process.stdin })
    .on('line', (line) => {
      const command = JSON.parse(line);
      const result = commands[command.command](command) ?? {};
      process.stdout.write(`${JSON.stringify(result)}\n`);
    })
    .on('close', () => process.exit(0));
});
