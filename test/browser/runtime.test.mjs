// What a browser gets to draw PyPy's runtime from: the marker chart's rows with their schemas, the
// runtime's own track, the counters.  The recording is test/data/pypy.vmfox.
//
// VMFOX_TEST_CHROMIUM is the browser (default: /usr/bin/chromium); where it is empty there is none,
// and all is skipped.

import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test as nodeTest } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { profileIn, startPages, startView } from './helpers.mjs';

const capture = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../data/pypy.vmfox');
const executablePath = process.env.VMFOX_TEST_CHROMIUM ?? '/usr/bin/chromium';
const test = executablePath ? nodeTest : nodeTest.skip;

let browser, profiler, view, profile, runtime, markers;

// The markers of a thread as the front-end derives them, for markers with a payload.
function markersOf(profile, thread) {
  const strings = profile.shared.stringArray;
  const { name, startTime, endTime, phase, category, data, length } = thread.markers;
  return Array.from({ length }, (_, i) => ({
    name: strings[name[i]],
    start: startTime[i],
    end: endTime[i],
    phase: phase[i],
    category: profile.meta.categories[category[i]].name,
    data: data[i],
  }));
}

before(async () => {
  if (!executablePath) return;
  browser = await chromium.launch({
    executablePath,
    headless: true,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      // Nothing outside this machine.
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost',
    ],
  });
  profiler = await startPages();
  view = await startView(capture, profiler.origin);
  const page = await browser.newPage();
  await page.goto(view.url);
  // The page reads it, as the front-end does; what it has read is what is looked at.
  profile = await profileIn(page, view.profileUrl);
  await page.close();
  runtime = profile.threads.find((thread) => thread.name === 'PyPy runtime');
  markers = markersOf(profile, runtime);
});

after(async () => {
  await view?.stop();
  profiler?.stop();
  await browser?.close();
});

test('the runtime is a thread of the same process', () => {
  assert.ok(runtime);
  const main = profile.threads.find((thread) => thread.isMainThread);
  assert.notEqual(main, runtime);
  assert.equal(runtime.pid, main.pid);
  assert.equal(runtime.isMainThread, false);
  assert.equal(runtime.samples.weightType, 'tracing-ms');
});

test('its samples are the run, in the order of time', () => {
  const { stack, weight, timeDeltas, length } = runtime.samples;
  assert.ok(length > 100);
  const { stackTable, frameTable, funcTable, stringArray } = profile.shared;
  const nameOf = (i) => stringArray[funcTable.name[frameTable.func[stackTable.frame[i]]]];
  let time = 0;
  let sum = 0;
  const leaves = new Set();
  for (let i = 0; i < length; i++) {
    time += timeDeltas[i];
    // A sample lasts until the next one: so the stack chart has no holes.
    assert.ok(Math.abs(time - sum) < 0.001, `${time} ${sum}`);
    sum += weight[i];
    leaves.add(nameOf(stack[i]));
  }
  for (const name of ['running', 'gc-minor', 'jit-tracing', 'jit-optimize', 'jit-backend']) {
    assert.ok(leaves.has(name), name);
  }
  const info = profile.meta.extra.find((section) => section.label === 'PyPy').entries;
  const run = info.find((entry) => entry.label === 'Together: the run').value;
  assert.ok(Math.abs(parseFloat(run) - sum) < 0.01, `${run} ${sum}`);
});

test('every marker has a schema, and all of its fields are in it', () => {
  const schemas = new Map(profile.meta.markerSchema.map((schema) => [schema.name, schema]));
  const strings = profile.shared.stringArray;
  assert.ok(markers.length > 100);
  for (const marker of profile.threads.flatMap((thread) => markersOf(profile, thread))) {
    const schema = schemas.get(marker.data.type);
    assert.ok(schema, marker.data.type);
    const formats = new Map(schema.fields.map((field) => [field.key, field.format]));
    for (const [key, value] of Object.entries(marker.data)) {
      if (key === 'type') continue;
      const format = formats.get(key);
      assert.ok(format, `${marker.name} ${key}`);
      if (format === 'unique-string') {
        assert.ok(strings[value], `${marker.name} ${key}`);
      } else {
        assert.equal(typeof value, 'number', `${marker.name} ${key}`);
        assert.ok(Number.isFinite(value) && value >= 0, `${marker.name} ${key}`);
      }
    }
  }
});

test('the schemas put them into the marker chart, with labels of fields they have', () => {
  assert.ok(profile.meta.markerSchema.length >= 7);
  for (const schema of profile.meta.markerSchema) {
    assert.ok(schema.display.includes('marker-chart'), schema.name);
    assert.ok(schema.display.includes('marker-table'), schema.name);
    const keys = new Set(schema.fields.map((field) => field.key));
    assert.equal(keys.size, schema.fields.length);
    for (const field of schema.fields) assert.ok(field.label && field.format, schema.name);
    for (const label of [schema.chartLabel, schema.tableLabel, schema.tooltipLabel]) {
      for (const [, key] of (label ?? '').matchAll(/\{marker\.data\.([^}]+)\}/g)) {
        assert.ok(keys.has(key), `${schema.name}: ${label}`);
      }
    }
  }
});

test('they are intervals within the run, sorted, in their categories', () => {
  const end = runtime.samples.weight.reduce((a, b) => a + b, 0);
  const categories = {
    'Minor collection': 'Garbage collection',
    'Major collection': 'Garbage collection',
    'Major collection step': 'Garbage collection',
    Trace: 'JIT compilation',
    Bridge: 'JIT compilation',
    Invalidation: 'JIT compilation',
    'JIT finding': 'JIT compilation',
  };
  let last = 0;
  for (const marker of markers) {
    assert.equal(marker.phase, 1);
    assert.ok(marker.start >= last && marker.start < marker.end && marker.end <= end + 0.001);
    last = marker.start;
    assert.equal(marker.category, categories[marker.name], marker.name);
  }
  assert.deepEqual(
    [...new Set(markers.map((marker) => marker.name))].sort(),
    Object.keys(categories).sort()
  );
});

test('what was compiled and collected can be read from them', () => {
  const strings = profile.shared.stringArray;
  const traces = markers.filter((marker) => ['Trace', 'Bridge'].includes(marker.name));
  assert.equal(traces.length, 6);
  const first = traces[0].data;
  assert.equal(strings[first.function], 'squares');
  assert.match(strings[first.file], /\/demo\.py$/);
  assert.equal(strings[first.what], `loop 1: squares demo.py:${first.line}`);
  assert.equal(strings[first.result], 'loop');
  assert.ok(first.recorded > 0 && first.optimized > 0 && first.guards > 0 && first.code > 0);
  assert.ok(first.tracing > 0 && first.optimizing > 0 && first.backend > 0);
  const minor = markers.findLast((marker) => marker.name === 'Minor collection').data;
  assert.equal(minor.nursery, 1 << 20);
  assert.ok(minor.heap > minor.survivors && minor.share <= 1);
  const [major] = markers.filter((marker) => marker.name === 'Major collection');
  assert.match(strings[major.data.states], /^SCANNING \d+, MARKING \d+, SWEEPING \d+$/);
  assert.ok(major.data.pause <= major.end - major.start);
});

test('the counters belong to the process and never fall below zero', () => {
  const units = Object.fromEntries(
    profile.counters.map(({ name, display }) => [name, display.unit])
  );
  assert.deepEqual(units, {
    'Heap in use': 'bytes',
    Survivors: 'bytes',
    'Machine code': 'bytes',
    'Loops alive': 'number',
    'Bridges alive': 'number',
  });
  for (const { name, pid, samples } of profile.counters) {
    assert.equal(pid, runtime.pid);
    assert.ok(samples.length > 1, name);
    assert.equal(samples.time.length, samples.length);
    assert.equal(samples.count.length, samples.length);
    let level = 0;
    for (let i = 1; i < samples.length; i++) {
      assert.ok(samples.time[i] >= samples.time[i - 1], name);
      level += samples.count[i];
      assert.ok(level >= 0, name);
    }
  }
});

test('samples of the program end in the section they were taken in', () => {
  const { stackTable, frameTable, funcTable, stringArray } = profile.shared;
  const seen = new Set();
  for (const thread of profile.threads.filter((thread) => thread !== runtime)) {
    for (const stack of thread.samples.stack) {
      const frame = stackTable.frame[stack];
      const category = profile.meta.categories[frameTable.category[frame]].name;
      const name = stringArray[funcTable.name[frameTable.func[frame]]];
      if (['Garbage collection', 'JIT compilation'].includes(category)) {
        seen.add(name);
        assert.match(name, /^(gc|jit)-/);
        assert.ok(stackTable.prefixOffset[stack] > 0, 'it is under a function');
      }
    }
  }
  // Which ones the recording has by chance.
  assert.ok([...seen].some((name) => name.startsWith('gc-')));
  assert.ok([...seen].some((name) => name.startsWith('jit-')));
});
