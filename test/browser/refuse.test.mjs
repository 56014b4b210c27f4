// The server's promises, asked with requests that no browser would write.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import { after, before, test } from 'node:test';
import zlib from 'node:zlib';
import { request, smallProfile, startView, talk, writeProfiles } from './helpers.mjs';

const origin = 'http://profiler.example:8080';
const foreign = 'http://evil.example';

let files, view;

before(async () => {
  files = writeProfiles();
  view = await startView(files.gzipped, `${origin}/some/path`);
});

after(async () => {
  await view?.stop();
  files?.remove();
});

const ask = (options) => request(view.port, options);
const corsHeaders = (answer) =>
  Object.keys(answer.headers).filter((name) => name.startsWith('access-control-'));

function assertNothingTold(answer, status, what) {
  assert.equal(answer.status, status, what);
  assert.equal(answer.body.length, 0, what);
  const { connection, 'content-length': length, ...more } = answer.headers;
  assert.deepEqual(more, {}, what);
}

test('everything without the token is the same empty 404', async () => {
  const { token } = view;
  const file = view.profilePath.slice(token.length + 2);
  const escaped = `%${token.charCodeAt(0).toString(16)}${token.slice(1)}`;
  const paths = [
    '/',
    '//',
    '/favicon.ico',
    `/${file}`,
    '/source/v1',
    '/from-url/',
    `/${token}`,
    `/${token}/`,
    `/${token}/nothing`,
    `/${token}/source`,
    `/${token}/source/v1/`,
    `/${token}//${file}`,
    `/${token}/./${file}`,
    `/${token}/x/../${file}`,
    `/${token}/${file}/`,
    `/${token}/${file}%00`,
    `/${token}/%2e%2e/%2e%2e/etc/passwd`,
    `/${token}/../../../../etc/passwd`,
    `/${token}/etc/passwd`,
    `/${token}//etc/passwd`,
    `/${token}%2F${file}`,
    `/${token}/source%2Fv1`,
    `/${escaped}/${file}`,
    `/${token.slice(0, -1)}/${file}`,
    `/${token.slice(0, 1)}/${file}`,
    `/${token}0/${file}`,
    `/${token.slice(0, -1)}${token.endsWith('0') ? '1' : '0'}/${file}`,
    `/${'0'.repeat(32)}/${file}`,
    `/${'0'.repeat(4000)}`,
    `//${token}/${file}`,
    `/x/../${token}/${file}`,
    `http://127.0.0.1:${view.port}${view.profilePath}`,
    '*',
  ];
  // The token is hexadecimal in lower case, and so is every other spelling another token.
  if (/[a-f]/.test(token)) paths.push(`/${token.toUpperCase()}/${file}`);
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND']) {
    for (const path of paths) {
      for (const headers of [{}, { origin }]) {
        const answer = await ask({ method, path, headers });
        assertNothingTold(answer, 404, `${method} ${path} ${JSON.stringify(headers)}`);
      }
    }
  }
});

test('only the three names of this machine are a Host', async () => {
  const { port } = view;
  const good = ['127.0.0.1', 'localhost', '[::1]', 'LOCALHOST'];
  for (const host of good.flatMap((name) => [name, `${name}:${port}`])) {
    const answer = await ask({ path: view.profilePath, headers: { host } });
    assert.equal(answer.status, 200, host);
  }
  const bad = [
    'evil.example',
    `evil.example:${port}`,
    `localhost.evil.example:${port}`,
    `127.0.0.1.evil.example`,
    `127.0.0.1@evil.example`,
    `localhost:${port + 1}`,
    'localhost:80',
    'localhost:',
    `localhost:0${port}`,
    `localhost.:${port}`,
    `127.0.0.2:${port}`,
    `127.1:${port}`,
    `0.0.0.0:${port}`,
    `[::]:${port}`,
    `::1`,
  ];
  for (const host of bad) {
    for (const path of [view.profilePath, '/']) {
      assertNothingTold(await ask({ path, headers: { host } }), 403, `Host: ${host}`);
    }
  }
  const twice = `GET ${view.profilePath} HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n`;
  assert.match(await talk(port, twice), /^HTTP\/1\.1 40[03] /);
  for (const line of ['', 'Host:\r\n', 'Host: \r\n']) {
    const none = `GET ${view.profilePath} HTTP/1.0\r\n${line}\r\n`;
    assert.match(await talk(port, none), /^HTTP\/1\.[01] 403 /);
  }
});

test('only the profiler is an Origin', async () => {
  const others = [
    foreign,
    'null',
    '',
    '*',
    `${origin}/`,
    `${origin}.evil.example`,
    origin.replace('http:', 'https:'),
    origin.replace(':8080', ''),
    `http://127.0.0.1:${view.port}`,
    `${origin} ${foreign}`,
  ];
  for (const other of others) {
    for (const method of ['GET', 'HEAD', 'POST', 'OPTIONS', 'DELETE']) {
      for (const path of [view.profilePath, `/${view.token}/source/v1`, '/']) {
        const answer = await ask({ method, path, headers: { origin: other } });
        assertNothingTold(answer, 403, `${method} ${path} Origin: ${other}`);
      }
    }
  }
  const two = `Host: localhost\r\nOrigin: ${origin}\r\nOrigin: ${foreign}\r\n\r\n`;
  assert.match(await talk(view.port, `GET ${view.profilePath} HTTP/1.1\r\n${two}`), / 403 /);
});

test('the profile, to the profiler and to the address bar', async () => {
  const accept = { 'accept-encoding': 'br, gzip;q=0.5' };
  const coded = await ask({ path: view.profilePath, headers: { origin, ...accept } });
  assert.equal(coded.status, 200);
  assert.equal(coded.headers['content-type'], 'application/json');
  assert.equal(coded.headers['content-encoding'], 'gzip');
  assert.equal(coded.headers['access-control-allow-origin'], origin);
  assert.match(coded.headers.vary, /Origin/);
  assert.match(coded.headers.vary, /Accept-Encoding/);
  assert.equal(coded.headers['x-content-type-options'], 'nosniff');
  assert.equal(coded.headers['cache-control'], 'no-store');
  assert.equal(coded.headers['cross-origin-resource-policy'], 'same-origin');
  assert.equal(coded.headers.server, undefined);
  assert.deepEqual(JSON.parse(zlib.gunzipSync(coded.body)), smallProfile());

  for (const headers of [{}, { 'accept-encoding': 'br, gzip;q=0, *' }]) {
    const raw = await ask({ path: view.profilePath, headers });
    assert.equal(raw.headers['content-type'], 'application/octet-stream');
    assert.equal(raw.headers['content-encoding'], undefined);
    assert.deepEqual(corsHeaders(raw), []);
    assert.deepEqual(raw.body, coded.body);
  }
  const head = await ask({ method: 'HEAD', path: view.profilePath });
  assert.equal(head.status, 200);
  assert.equal(Number(head.headers['content-length']), coded.body.length);
  assert.equal(head.body.length, 0);
});

test('the preflight', async () => {
  const path = `/${view.token}/source/v1`;
  const plain = await ask({
    method: 'OPTIONS',
    path,
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type, user-agent',
    },
  });
  assert.ok([200, 204].includes(plain.status));
  assert.equal(plain.headers['access-control-allow-origin'], origin);
  assert.equal(plain.headers['access-control-allow-methods'], 'GET, POST, OPTIONS');
  // The front-end sets a User-Agent on /symbolicate/v5; Firefox asks whether it may.
  assert.equal(plain.headers['access-control-allow-headers'], 'content-type, user-agent');
  assert.equal(plain.headers['access-control-allow-private-network'], undefined);
  assert.equal(plain.headers['access-control-allow-local-network'], undefined);
  for (const kind of ['private', 'local']) {
    const asked = await ask({
      method: 'OPTIONS',
      path: view.profilePath,
      headers: { origin, [`access-control-request-${kind}-network`]: 'true' },
    });
    assert.equal(asked.headers[`access-control-allow-${kind}-network`], 'true');
  }
});

test('other methods are refused behind the token', async () => {
  const api = `/${view.token}/asm/v1`;
  const refused = [
    ...['POST', 'PUT', 'DELETE', 'TRACE', 'PATCH'].map((method) => [method, view.profilePath]),
    ...['GET', 'HEAD', 'PUT', 'DELETE'].map((method) => [method, api]),
    ['OPTIONS', api], // without an Origin it is no preflight
  ];
  for (const [method, path] of refused) {
    const answer = await ask({ method, path, body: method === 'PUT' ? 'x' : undefined });
    assert.equal(answer.status, 405, `${method} ${path}`);
    assert.equal(answer.body.length, 0, `${method} ${path}`);
    assert.deepEqual(corsHeaders(answer), []);
  }
});

test('a body of more than 1 MiB is refused', async () => {
  const path = `/${view.token}/source/v1`;
  const largest = `{"file":"${'x'.repeat((1 << 20) - 11)}"}`;
  const fits = await ask({ method: 'POST', path, body: largest });
  assert.equal(fits.status, 200);
  assert.match(JSON.parse(fits.body).error, /no source/);
  const body = Buffer.alloc(10 << 20, 'x');
  // The server does not wait for all of it, so the answer may be lost with the connection.
  const post = { method: 'POST', path, body };
  const told = await ask({ ...post, headers: { 'content-length': body.length } });
  if (told.status !== 0) {
    assert.equal(told.status, 413);
    assert.match(JSON.parse(told.body).error, /1 MiB/);
  }
  const waited = await talk(
    view.port,
    `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10485760\r\n\r\n`
  );
  assert.match(waited, /^HTTP\/1\.1 413 [^]*Connection: close[^]*\{"error":/);
  const chunked = await ask({ ...post, headers: { 'transfer-encoding': 'chunked' } });
  assert.notEqual(chunked.status, 200);
  assert.equal((await ask({ path: view.profilePath })).status, 200);
});

test('garbage tells nothing and does no harm', async () => {
  const get = `GET ${view.profilePath} HTTP/1.1\r\nHost: localhost\r\n`;
  const post = `POST /${view.token}/source/v1 HTTP/1.1\r\nHost: localhost\r\n`;
  const garbage = [
    '\0\0\0\0\r\n\r\n',
    'GET\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
    `GET /${'x'.repeat(1 << 20)} HTTP/1.1\r\n\r\n`,
    `GET / HTTP/1.1\r\n${'X: y\r\n'.repeat(100000)}\r\n`,
    `${post}Content-Length: -1\r\n\r\n`,
    `${post}Content-Length: 99999999999999999999\r\n\r\n`,
    `${post}Transfer-Encoding: chunked\r\n\r\nzz\r\n`,
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
  ];
  for (const text of garbage) {
    const answer = await talk(view.port, text, 500);
    assert.ok(!answer.includes(view.token), text.slice(0, 60));
    assert.ok(!/access-control|\r\nserver:/i.test(answer), text.slice(0, 60));
    assert.ok(!/^HTTP\/1\.1 2/.test(answer), text.slice(0, 60));
  }
  const pipelined = await talk(view.port, `${get}\r\n${'junk\r\n\r\n'.repeat(1000)}`, 1000);
  assert.equal(pipelined.split('HTTP/1.1 200').length - 1 <= 1, true);
  assert.equal((await ask({ path: view.profilePath })).status, 200);
});

test('it listens on 127.0.0.1 only', async () => {
  const others = Object.values(os.networkInterfaces())
    .flat()
    .map(({ address, scopeid }) => [address, scopeid])
    .filter(([address, scopeid]) => address !== '127.0.0.1' && !scopeid)
    .map(([address]) => address);
  for (const host of ['127.0.0.2', ...others]) {
    const reached = await new Promise((resolve) => {
      const socket = net.connect(view.port, host, () => resolve(true));
      socket.on('error', () => resolve(false));
      socket.setTimeout(2000, () => resolve(false));
    });
    assert.equal(reached, false, host);
  }
});

test('Ctrl-C ends it', async () => {
  const other = await startView(files.gzipped, origin);
  assert.notEqual(other.port, view.port);
  assert.notEqual(other.token, view.token);
  const [code] = await other.stop();
  assert.equal(code, 0);
  await assert.rejects(request(other.port, { path: other.profilePath }), { code: 'ECONNREFUSED' });
  assert.ok(fs.existsSync(files.gzipped));
});
