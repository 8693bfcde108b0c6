// Run by node.test inside an instance with vcan0: prints TAP. With two arguments it is a process that inherited two CAN sockets.
'use strict';
const assert = require('assert');
const { spawn, execFileSync } = require('child_process');
const fs = require('fs');
const net = require('net');
const os = require('os');
const readline = require('readline');

const DEADLINE_MS = 30000;

function frame(id, ...data) {
  const buffer = Buffer.alloc(16);
  buffer.writeUInt32LE(id, 0);
  buffer[4] = data.length;
  Buffer.from(data).copy(buffer, 8);
  return buffer;
}

// Resolves when the instance knows `count` bound sockets of that process.
async function bound(pid, count = 1) {
  const end = Date.now() + DEADLINE_MS;
  for (;;) {
    const { sockets } = JSON.parse(execFileSync('pocketcan', ['status', '--json']));
    if (sockets.filter((socket) => socket.pid === pid && socket.interface).length >= count) return;
    assert(Date.now() < end, 'no socket is bound');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const exited = (child) => new Promise((resolve) => child.on('close', (status) => resolve(status)));

const tests = {
  'os.networkInterfaces() is that of outside': () => {
    const env = { ...process.env };
    delete env.LD_PRELOAD;
    const code = 'console.log(JSON.stringify(os.networkInterfaces()))';
    assert.strictEqual(JSON.stringify(os.networkInterfaces()), execFileSync(process.execPath, ['-e', code], { env }).toString().trim());
  },

  'candump as a child, its lines parsed': async () => {
    const candump = spawn('candump', ['-L', '-n', '50', 'vcan0']);
    const closed = exited(candump);
    const seen = [];
    readline.createInterface({ input: candump.stdout }).on('line', (line) => seen.push(line.split(' ')[2]));
    await bound(candump.pid);
    const wanted = [];
    for (let n = 0; n < 50; n++) {
      wanted.push(`123#${n.toString(16).toUpperCase().padStart(2, '0')}`);
      assert.strictEqual(await exited(spawn('cansend', ['vcan0', wanted[n]])), 0);
    }
    assert.strictEqual(await closed, 0);
    assert.deepStrictEqual(seen, wanted);
  },

  'many children at once': async () => {
    const candump = spawn('candump', ['-L', '-n', '40', 'vcan0']);
    const closed = exited(candump);
    let text = '';
    candump.stdout.on('data', (data) => { text += data; });
    await bound(candump.pid);
    const children = [...Array(40).keys()].map((n) => exited(spawn('cansend', ['vcan0', `${(0x100 + n).toString(16)}#`])));
    assert.deepStrictEqual(await Promise.all(children), Array(40).fill(0));
    assert.strictEqual(await closed, 0);
    assert.deepStrictEqual(text.trim().split('\n').map((line) => parseInt(line.split(' ')[2], 16)).sort(),
      [...Array(40).keys()].map((n) => 0x100 + n));
  },

  'ip as a child': () => {
    execFileSync('ip', ['link', 'add', 'vcan9', 'type', 'vcan']);
    const [link] = JSON.parse(execFileSync('ip', ['-j', '-d', 'link', 'show', 'vcan9']));
    assert.strictEqual(link.linkinfo.info_kind, 'vcan');
    execFileSync('ip', ['link', 'del', 'vcan9']);
    assert.throws(() => execFileSync('ip', ['link', 'show', 'vcan9'], { stdio: 'pipe' }), /does not exist/);
  },
};

// The descriptors of the arguments: CAN sockets bound to vcan0.
const [fd, other] = process.argv.slice(2).map(Number);
const childTests = {
  'fs.writeSync sends': async () => {
    const candump = spawn('candump', ['-n', '1', 'vcan0']);
    const closed = exited(candump);
    let text = '';
    candump.stdout.on('data', (data) => { text += data; });
    await bound(candump.pid);
    assert.strictEqual(fs.writeSync(fd, frame(0x123, 0x11, 0x22)), 16);
    await closed;
    assert.strictEqual(text, '  vcan0  123   [2]  11 22\n');
  },

  'fs.readSync receives': () => {
    const buffer = Buffer.alloc(72);
    fs.writeSync(other, frame(0x124, 1, 2, 3));
    assert.strictEqual(fs.readSync(fd, buffer), 16);
    assert.deepStrictEqual(buffer.subarray(0, 16), frame(0x124, 1, 2, 3));
  },

  'fs.read waits in a thread, the loop goes on': async () => {
    const buffer = Buffer.alloc(72);
    const read = new Promise((resolve, reject) => fs.read(fd, buffer, 0, 72, null, (error, size) => (error ? reject(error) : resolve(size))));
    await new Promise((resolve) => setTimeout(resolve, 1));
    fs.writeSync(other, frame(0x125, 7));
    assert.strictEqual(await read, 16);
    assert.deepStrictEqual(buffer.subarray(0, 16), frame(0x125, 7));
  },

  'a stream of frames': async () => {
    const stream = fs.createReadStream('', { fd, autoClose: false, highWaterMark: 16 });
    const seen = [];
    const all = new Promise((resolve) => stream.on('data', (data) => {
      seen.push(data.readUInt32LE(0));
      if (seen.length === 100) resolve();
    }));
    for (let n = 0; n < 100; n++) fs.writeSync(other, frame(n));
    await all;
    assert.deepStrictEqual(seen, [...Array(100).keys()]);
    fs.writeSync(other, frame(0x7ff)); // the stream reads ahead
    stream.destroy();
  },

  'net.Socket refuses it, as on Linux': () => {
    assert.throws(() => new net.Socket({ fd }), { code: 'ERR_INVALID_FD_TYPE' });
  },

  'a grandchild inherits it': () => {
    const code = 'import socket; s = socket.socket(fileno=3); print(int(s.family), int(s.type), s.getsockname()); s.send(bytes(16))';
    assert.strictEqual(execFileSync('/usr/bin/python3', ['-c', code], { stdio: ['ignore', 'pipe', 'inherit', fd] }).toString(),
      "29 3 ('vcan0',)\n");
  },

  'fs.writeSync of half a frame is refused': () => {
    assert.throws(() => fs.writeSync(fd, Buffer.alloc(8)), { code: 'EINVAL' });
  },

  'fs.closeSync closes': () => {
    fs.closeSync(fd);
    assert.throws(() => fs.writeSync(fd, frame(1)), { code: 'EBADF' });
  },
};

async function main() {
  const chosen = Object.entries(fd ? childTests : tests);
  for (const [name, test] of chosen) {
    try {
      await test();
      console.log(`ok - ${name}`);
    } catch (error) {
      console.log(`not ok - ${name}\n${String(error.stack).replace(/^/gm, '# ')}`);
    }
  }
}

setTimeout(() => { console.log('not ok - in time'); process.exit(1); }, DEADLINE_MS).unref();
main().then(() => process.exit(0));
