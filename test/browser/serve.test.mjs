// The real server and a real browser: a page at the profiler's origin gets the profile and the
// sources as the front-end does; nobody else gets anything.
//
// VMFOX_TEST_CAPTURE is a recording (.vmfox, .prof, ...) whose sources are asked for; without it
// that test is skipped.  VMFOX_TEST_CHROMIUM is the browser (default:
// /usr/bin/chromium); where it is empty there is none, and all is skipped.

import assert from 'node:assert/strict';
import { after, before, test as nodeTest } from 'node:test';
import { chromium } from 'playwright-core';
import { profileIn, request, smallProfile, startPages, startView, writeProfiles } from './helpers.mjs';

const capture = process.env.VMFOX_TEST_CAPTURE;
const executablePath = process.env.VMFOX_TEST_CHROMIUM ?? '/usr/bin/chromium';
const test = executablePath ? nodeTest : nodeTest.skip;

let browser, profiler, stranger, files, view;

const launch = (...flags) =>
  chromium.launch({
    executablePath,
    headless: true,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      // Nothing outside this machine; rebound.test is what a rebinding page makes of its name.
      '--host-resolver-rules=MAP rebound.test 127.0.0.1, MAP * ~NOTFOUND, ' +
        'EXCLUDE 127.0.0.1, EXCLUDE localhost',
      ...flags,
    ],
  });

before(async () => {
  if (!executablePath) return;
  browser = await launch();
  profiler = await startPages();
  stranger = await startPages();
  files = writeProfiles();
  view = await startView(files.gzipped, profiler.origin);
});

after(async () => {
  await view?.stop();
  files?.remove();
  profiler?.stop();
  stranger?.stop();
  await browser?.close();
});

// Runs `work` on a new page at `url`.
async function onPage(url, work) {
  const page = await browser.newPage();
  try {
    await page.goto(url);
    return await work(page);
  } finally {
    await page.close();
  }
}

// Both from inside the page: what fetch() gives, or the name of what it throws.
const get = (page, url, init = {}) =>
  page.evaluate(
    async ([url, init]) => {
      try {
        const response = await fetch(url, init);
        return {
          status: response.status,
          type: response.headers.get('content-type'),
          text: await response.text(),
        };
      } catch (error) {
        return { thrown: error.name };
      }
    },
    [url, init]
  );
// As RegularExternalCommunicationDelegate of the front-end does it.
const post = (page, url, question) =>
  get(page, url, {
    method: 'POST',
    mode: 'cors',
    credentials: 'omit',
    body: JSON.stringify(question),
  });

const sourceQuestion = (file) => ({
  debugName: 'app',
  debugId: '000000000000000000000000000000000',
  moduleOffset: '0x1',
  file,
});

test('the URL leads to the profiler, the profile and the server', () => {
  assert.ok(view.url.startsWith(`${profiler.origin}/from-url/http%3A%2F%2F127.0.0.1%3A`));
  assert.match(view.base, /^http:\/\/127\.0\.0\.1:\d+\/[0-9a-f]{32}$/);
  assert.ok(view.profileUrl.startsWith(`${view.base}/`));
});

test('a page at the profiler gets the profile', () =>
  onPage(view.url, async (page) => {
    const answer = await get(page, view.profileUrl);
    assert.equal(answer.status, 200);
    assert.equal(answer.type, 'application/json');
    assert.deepEqual(JSON.parse(answer.text), smallProfile());
  }));

test('so it does when the file is not gzipped', async () => {
  const plain = await startView(files.plain, `${profiler.origin}/`);
  try {
    await onPage(plain.url, async (page) => {
      const answer = await get(page, plain.profileUrl);
      assert.equal(answer.status, 200);
      assert.deepEqual(JSON.parse(answer.text), smallProfile());
    });
  } finally {
    await plain.stop();
  }
});

test('a page at the profiler gets the sources', { skip: !capture && 'no capture' }, async () => {
  const recorded = await startView(capture, profiler.origin);
  try {
    await onPage(recorded.url, async (page) => {
      const { shared } = await profileIn(page, recorded.profileUrl);
      const { filename, content } = shared.sources;
      const rows = [...filename.keys()].filter((i) => content[i]).slice(0, 5);
      assert.ok(rows.length > 0, 'the capture holds no source');
      for (const i of rows) {
        const file = shared.stringArray[filename[i]];
        const answer = await post(page, `${recorded.base}/source/v1`, sourceQuestion(file));
        assert.equal(answer.status, 200);
        assert.deepEqual(JSON.parse(answer.text), {
          symbolsLastModified: null,
          sourceLastModified: null,
          file,
          source: content[i],
        });
      }
    });
  } finally {
    await recorded.stop();
  }
});

// What the front-end asks for a native symbol of a profile, in its assembly view and when the user
// lets it symbolicate again.
function nativeQuestions({ libs, shared }, row) {
  const { libIndex, address, name, functionSize } = shared.nativeSymbols;
  const lib = libs[libIndex[row]];
  return {
    assembly: {
      name: lib.name,
      codeId: lib.codeId,
      debugName: lib.debugName,
      debugId: lib.breakpadId,
      startAddress: `0x${address[row].toString(16)}`,
      size: `0x${(functionSize[row] ?? 1).toString(16)}`,
      continueUntilFunctionEnd: functionSize[row] === null,
    },
    symbols: {
      jobs: [{ memoryMap: [[lib.debugName, lib.breakpadId]], stacks: [[[0, address[row]]]] }],
    },
    module: `${lib.debugName}/${lib.breakpadId}`,
    name: shared.stringArray[name[row]],
  };
}

// As receive-profile.ts of the front-end does it for /symbolicate/v5: Firefox asks for this header.
const postSymbols = (page, url, question) =>
  get(page, url, {
    method: 'POST',
    mode: 'cors',
    credentials: 'omit',
    headers: { 'User-Agent': 'FirefoxProfiler/1.0' },
    body: JSON.stringify(question),
  });

test('a page at the profiler gets code and names', { skip: !capture && 'no capture' }, async () => {
  const recorded = await startView(capture, profiler.origin);
  try {
    await onPage(recorded.url, async (page) => {
      const profile = await profileIn(page, recorded.profileUrl);
      const { libIndex } = profile.shared.nativeSymbols;
      const kinds = { jit: 0, native: 0 };
      for (const row of libIndex.keys()) {
        const kind = profile.libs[libIndex[row]].name === 'PyPy JIT' ? 'jit' : 'native';
        if (++kinds[kind] > 3) continue;
        const question = nativeQuestions(profile, row);
        const listing = await post(page, `${recorded.base}/asm/v1`, question.assembly);
        assert.equal(listing.status, 200);
        const { startAddress, instructions } = JSON.parse(listing.text);
        assert.equal(startAddress, question.assembly.startAddress);
        assert.ok(instructions.length > 1);
        assert.ok(instructions.every(([at, text]) => Number.isInteger(at) && text.length > 0));
        const answer = await postSymbols(page, `${recorded.base}/symbolicate/v5`, question.symbols);
        assert.equal(answer.status, 200);
        const { stacks, found_modules: found } = JSON.parse(answer.text).results[0];
        // Traces are no functions of a library: the front-end leaves them as they are.
        assert.deepEqual(found, { [question.module]: kind === 'native' });
        if (kind === 'native') {
          assert.match(stacks[0][0].function, /\D/);
          assert.equal(stacks[0][0].function_offset, '0x0');
        }
      }
      assert.ok(kinds.jit > 0 && kinds.native > 0, 'the capture has no such functions');
    });
    await onPage(stranger.origin, async (page) => {
      const thrown = { thrown: 'TypeError' };
      for (const path of ['source/v1', 'asm/v1', 'symbolicate/v5'])
        assert.deepEqual(await post(page, `${recorded.base}/${path}`, {}), thrown, path);
      assert.deepEqual(await get(page, recorded.profileUrl), thrown);
    });
  } finally {
    await recorded.stop();
  }
});

test('what cannot be answered is an error in words, with status 200', () =>
  onPage(view.url, async (page) => {
    const questions = [
      ['source/v1', sourceQuestion('/etc/passwd')],
      ['source/v1', sourceQuestion('../../../../etc/passwd')],
      ['source/v1', {}],
      ['source/v1', 'nonsense'],
      ['asm/v1', { name: 'a', startAddress: '0x10', size: '0x10' }],
      ['symbolicate/v5', { stacks: [[[0, 16]]] }],
    ];
    for (const [path, question] of questions) {
      const answer = await post(page, `${view.base}/${path}`, question);
      assert.equal(answer.status, 200, path);
      assert.match(JSON.parse(answer.text).error, /\w/, path);
    }
  }));

test('a request that needs a preflight gets through', () =>
  onPage(view.url, async (page) => {
    const answer = await get(page, `${view.base}/source/v1`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: '{}',
    });
    assert.equal(answer.status, 200);
  }));

test('a wrong token gets nothing, from the profiler too', () =>
  onPage(view.url, async (page) => {
    const wrong = (view.token[0] === '0' ? '1' : '0') + view.token.slice(1);
    const url = view.profileUrl.replace(view.token, wrong);
    assert.deepEqual(await get(page, url), { thrown: 'TypeError' });
    const api = `${view.base.replace(view.token, wrong)}/source/v1`;
    assert.deepEqual(await post(page, api, sourceQuestion('x')), { thrown: 'TypeError' });
    const answer = await request(view.port, { path: new URL(url).pathname });
    assert.equal(answer.status, 404);
    assert.equal(answer.body.length, 0);
  }));

test('a page at another origin gets nothing, even with the token', () =>
  onPage(stranger.origin, async (page) => {
    const thrown = { thrown: 'TypeError' };
    assert.deepEqual(await get(page, view.profileUrl), thrown);
    assert.deepEqual(await get(page, view.profileUrl, { mode: 'no-cors' }), thrown);
    assert.deepEqual(await post(page, `${view.base}/source/v1`, sourceQuestion('x')), thrown);
    const loaded = await page.evaluate(
      (url) =>
        new Promise((resolve) => {
          const script = document.createElement('script');
          script.onload = () => resolve(true);
          script.onerror = () => resolve(false);
          script.src = url;
          document.head.append(script);
        }),
      view.profileUrl
    );
    assert.equal(loaded, false);
  }));

test('a page whose name was rebound to 127.0.0.1 gets nothing', async () => {
  const here = `http://rebound.test:${view.port}`;
  // Newer Chromium stops such a page by itself: without that, it is for the server to do.
  const older = await launch('--disable-features=LocalNetworkAccessChecks');
  try {
    const page = await older.newPage();
    // The page itself comes from the stranger; by its next request its name is 127.0.0.1, and the
    // server its own origin, for which a browser asks for no CORS header.
    await page.route(`${here}/page`, (route) =>
      route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>page</title>' })
    );
    await page.goto(`${here}/page`);
    for (const path of ['/', view.profilePath]) {
      const answer = await get(page, path);
      assert.deepEqual(answer, { status: 403, type: null, text: '' }, path);
    }
    const answer = await post(page, `${here}/${view.token}/source/v1`, sourceQuestion('x'));
    assert.deepEqual(answer, { status: 403, type: null, text: '' });
  } finally {
    await older.close();
  }
});

test('a wrong Host gets nothing', async () => {
  for (const host of ['rebound.test', `rebound.test:${view.port}`, 'profiler.firefox.com']) {
    const answer = await request(view.port, { path: view.profilePath, headers: { host } });
    assert.equal(answer.status, 403, host);
    assert.equal(answer.body.length, 0, host);
  }
});
