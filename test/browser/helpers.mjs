// What the browser tests share: a vmfox that serves, pages at other local origins, requests as raw
// as they are written, and a small finished profile.
//
// VMFOX is the program to test (default: build/vmfox of this repository).

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import zlib from 'node:zlib';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const vmfox = path.resolve(process.env.VMFOX ?? path.join(root, 'build/vmfox'));

// A page server on a port of its own, and so an origin of its own; every path is the same page.
export async function startPages() {
  const server = http.createServer((request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' });
    response.end('<!doctype html><link rel="icon" href="data:,"><title>page</title>');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}

// Runs `vmfox view FILE --no-open` for the profiler at `profilerUrl` until it prints its URL.
// profileUrl and base (the symbol server) are read from that URL as the front-end does.
export async function startView(file, profilerUrl) {
  const env = { ...process.env };
  for (const name of ['PROFILER_URL', 'SSH_CONNECTION', 'BROWSER']) delete env[name];
  const child = spawn(vmfox, ['view', file, '--no-open', '--profiler-url', profilerUrl], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'close');
  let said = '';
  const url = await new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no URL after 60 s; it said: ${said}`)), 60000);
    const listen = (chunk) => {
      said += chunk;
      const line = /https?:\/\/\S+\/from-url\/\S+(?=\s)/.exec(said);
      if (line) {
        clearTimeout(late);
        resolve(line[0]);
      }
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    ended.then(
      ([code]) => reject(new Error(`vmfox view ended with ${code}; it said: ${said}`)),
      reject
    );
  }).catch((error) => {
    child.kill('SIGKILL');
    throw error;
  });
  const parsed = new URL(url);
  const profileUrl = decodeURIComponent(/\/from-url\/([^/]+)\//.exec(parsed.pathname)[1]);
  const base = parsed.searchParams.get('symbolServer');
  return {
    url,
    profileUrl,
    base,
    port: Number(new URL(base).port),
    token: new URL(base).pathname.slice(1),
    profilePath: new URL(profileUrl).pathname,
    // Ctrl-C; returns [exit code, signal].
    async stop() {
      child.kill('SIGINT');
      return ended;
    },
  };
}

// One request, written out: { status, headers, body }.  `path` and the headers go out as they are.
// A server that closes without an answer makes it status 0.
export function request(port, { method = 'GET', path, headers = {}, body }) {
  return new Promise((resolve, reject) => {
    const outgoing = http.request(
      { host: '127.0.0.1', port, method, path, headers, agent: false, timeout: 60000 },
      (incoming) => {
        const chunks = [];
        incoming.on('data', (chunk) => chunks.push(chunk));
        incoming.on('error', reject);
        incoming.on('end', () =>
          resolve({
            status: incoming.statusCode,
            headers: incoming.headers,
            body: Buffer.concat(chunks),
          })
        );
      }
    );
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer in 60 s')));
    outgoing.on('error', (error) =>
      ['ECONNRESET', 'EPIPE'].includes(error.code) ? resolve({ status: 0 }) : reject(error)
    );
    outgoing.end(body);
  });
}

// Bytes in, bytes out, until the server closes (or `limit` ms are over).
export function talk(port, text, limit = 10000) {
  return new Promise((resolve) => {
    const chunks = [];
    const socket = net.connect(port, '127.0.0.1', () => socket.write(text));
    const done = () => {
      socket.destroy();
      resolve(Buffer.concat(chunks).toString('latin1'));
    };
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', done);
    socket.on('close', done);
    setTimeout(done, limit).unref();
  });
}

// A finished profile as the front-end takes it, with one function and one sample.
export const sourceName = '/home/ann/app.py';
export const sourceText = "def main():\n    print('h\u00e9')\n";
export function smallProfile() {
  const none = (length) => Array(length).fill(null);
  return {
    meta: {
      version: 29,
      preprocessedProfileVersion: 69,
      product: 'app.py',
      interval: 1,
      startTime: 1700000000000,
      processType: 0,
      stackwalk: 1,
      symbolicated: true,
      categories: [{ name: 'Other', color: 'grey', subcategories: ['Other'] }],
      markerSchema: [],
    },
    libs: [],
    shared: {
      stringArray: ['main', sourceName],
      stackTable: { frame: [0], prefixOffset: [0], length: 1 },
      frameTable: {
        address: [-1],
        inlineDepth: [0],
        category: [0],
        subcategory: [0],
        func: [0],
        nativeSymbol: none(1),
        innerWindowID: none(1),
        line: [2],
        column: none(1),
        originalLocation: none(1),
        length: 1,
      },
      funcTable: {
        name: [0],
        isJS: [true],
        relevantForJS: [false],
        resource: [-1],
        source: [0],
        lineNumber: [1],
        columnNumber: none(1),
        originalLocation: none(1),
        length: 1,
      },
      resourceTable: { lib: [], name: [], host: [], type: [], length: 0 },
      nativeSymbols: { libIndex: [], address: [], name: [], functionSize: [], length: 0 },
      sources: {
        id: [null],
        filename: [1],
        startLine: [1],
        startColumn: [1],
        sourceMapURL: [null],
        content: [sourceText],
        length: 1,
      },
      sourceLocationTable: { source: [], line: [], column: [], length: 0 },
    },
    threads: [
      {
        name: 'MainThread',
        pid: '1',
        tid: 1,
        isMainThread: true,
        processType: 'default',
        processName: 'app.py',
        processStartupTime: 0,
        processShutdownTime: null,
        registerTime: 0,
        unregisterTime: null,
        pausedRanges: [],
        samples: { stack: [0], time: [0.5], weight: null, weightType: 'samples', length: 1 },
        markers: {
          name: [],
          startTime: [],
          endTime: [],
          phase: [],
          category: [],
          data: [],
          length: 0,
        },
      },
    ],
  };
}

// A new folder with app.json and app.json.gz, to be removed with remove().
export function writeProfiles() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vmfox-browser-'));
  const text = JSON.stringify(smallProfile());
  const plain = path.join(folder, 'app.json');
  const gzipped = path.join(folder, 'app.json.gz');
  fs.writeFileSync(plain, text);
  fs.writeFileSync(gzipped, zlib.gzipSync(text));
  return { plain, gzipped, remove: () => fs.rmSync(folder, { recursive: true }) };
}

// A profile in JSON Slabs, from the description in docs/formats/firefox-profiler.md.
export function decodeSlabs(bytes) {
  const buffer = Uint8Array.from(bytes).buffer;
  const view = new DataView(buffer);
  const columns = [Int8Array, Uint8Array, Int16Array, Uint16Array, Int32Array, Uint32Array,
    Float32Array, Float64Array, BigInt64Array, BigUint64Array];
  const text = (slab) => new TextDecoder().decode(slab);
  const slabs = [];
  for (let i = 0; i < view.getUint32(12, true); i++) {
    const [type, start, length] = [0, 4, 8].map((at) => view.getUint32(20 + 12 * i + at, true));
    const Column = columns[type] ?? Uint8Array; // 10: JSON text
    slabs.push(type < columns.length
      ? Array.from(new Column(buffer, start, length / Column.BYTES_PER_ELEMENT))
      : new Uint8Array(buffer, start, length));
  }
  const parse = (slab) => JSON.parse(text(slab), (key, value) => {
    if (value === null || typeof value !== 'object' || !('$s' in value)) return value;
    const meant = slabs[value.$s];
    return Array.isArray(meant) ? meant : parse(meant);
  });
  return parse(slabs[view.getUint32(16, true)]);
}

// The profile that a page gets at a URL, as the front-end takes it: by its content.
export async function profileIn(page, url) {
  const content = await page.evaluate(async (from) => {
    const bytes = new Uint8Array(await (await fetch(from)).arrayBuffer());
    let all = '';
    for (let i = 0; i < bytes.length; i += 10000)
      all += String.fromCharCode(...bytes.subarray(i, i + 10000));
    return all;
  }, url);
  const bytes = Buffer.from(content, 'latin1');
  return bytes[0] === 0xdc ? decodeSlabs(bytes) : JSON.parse(bytes.toString());
}
