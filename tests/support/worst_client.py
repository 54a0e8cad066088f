#!/usr/bin/python3
"""A client that does its worst, again and again, until it is ended.

usage: worst_client.py PORT KEY ADDRESS FILE ATTACK

It comes from ADDRESS.  FILE can be signed by the profile test-signing.  When it
gets a line on its standard input it prints what came of it since the last one.
"""

import asyncio
import collections
import sys
import warnings

warnings.simplefilter('ignore')

import asyncssh  # noqa: E402
from asyncssh.packet import Boolean, NameList, String, UInt32  # noqa: E402

KEXINIT = 20
KEX_ECDH_INIT = 30

# How many log in at a time.
AT_ONCE = 16

counts = collections.Counter()


def packet(kind, *fields):
    """As SSH sends it before the first key exchange (RFC 4253, section 6)."""
    data = bytes((kind,)) + b''.join(fields)
    pad = 8 - (len(data) + 5) % 8 + 8
    return UInt32(len(data) + pad + 1) + bytes((pad,)) + data + bytes(pad)


# The beginning of a key exchange, which costs nothing to send.
HELLO = b'SSH-2.0-worst\r\n' + packet(
    KEXINIT, bytes(16), NameList([b'curve25519-sha256']),
    NameList([b'ssh-ed25519']), *(2 * [NameList([b'aes128-gcm@openssh.com'])]),
    *(2 * [NameList([b'hmac-sha2-256-etm@openssh.com'])]),
    *(2 * [NameList([b'none'])]), *(2 * [NameList([])]),
    Boolean(False), UInt32(0)) + packet(KEX_ECDH_INIT, String(b'\x09' * 32))


class Client:
    def __init__(self, port, key, address, path):
        self.port = int(port)
        self.keys = [(key, key + '-cert.pub')]
        self.address = (address, 0)
        self.gate = asyncio.Semaphore(AT_ONCE)
        with open(path, 'rb') as file:
            self.file = file.read()

    async def connect(self):
        async with self.gate:
            return await asyncssh.connect(
                '127.0.0.1', self.port, username='sign', known_hosts=None,
                local_addr=self.address, agent_path=None,
                client_keys=self.keys,
                encryption_algs=['aes128-gcm@openssh.com'])

    async def again(self, play):
        """PLAY over one connection after the other."""
        while True:
            try:
                async with await self.connect() as conn:
                    counts['logins'] += 1
                    await play(conn)
            except (asyncssh.Error, OSError):
                counts['refused or closed'] += 1
                await asyncio.sleep(0.01)

    async def half_open(self):
        """Key exchanges that go no further than costs the endpoint most."""
        while True:
            try:
                reader, writer = await asyncio.open_connection(
                    '127.0.0.1', self.port, local_addr=self.address)
                writer.write(HELLO)
                got = b''
                while got.count(b'ssh-ed25519') < 2:
                    got += await reader.readexactly(1)
                counts['key exchanges'] += 1
                writer.transport.abort()
            except (OSError, EOFError):
                counts['refused or closed'] += 1
                await asyncio.sleep(0.01)

    async def connections(self, conn):
        """As many as there may be, until they are closed."""
        await conn.wait_closed()

    async def many(self, conn, use, number=64):
        """USE of many channels, as long as the connection lasts."""
        async def one():
            while conn._transport is not None:
                try:
                    await use(conn)
                except asyncssh.ChannelOpenError:
                    await asyncio.sleep(0.01)
                except (asyncssh.Error, OSError):
                    counts['refused or closed'] += 1
        await asyncio.gather(*(one() for _ in range(number)))
        counts['closed'] += 1

    async def request(self, conn, command, data):
        result = await conn.run(command, input=data, encoding=None)
        counts[f'status {result.exit_status}'] += 1

    async def rows(self, conn):
        await self.many(conn, lambda conn: self.request(
            conn, 'test-signing', self.file))

    async def refused(self, conn):
        await self.many(conn, lambda conn: self.request(
            conn, 'no-such-profile', b''))

    async def hold(self, conn, write=None, **options):
        """A session that says no more than WRITE does, and reads nothing."""
        process = await conn.create_process('test-signing', encoding=None,
                                            **options)
        counts['sessions'] += 1
        if write is not None:
            await write(process)
        await process.channel.wait_closed()
        counts['ended'] += 1

    async def idle(self, conn):
        await self.many(conn, self.hold)

    async def unread(self, conn):
        async def write(process):
            process.stdin.write(self.file + bytes(200000))
            process.stdin.write_eof()

        await self.many(conn, lambda conn: self.hold(conn, write, window=512))

    async def slow(self, conn):
        async def write(process):
            for byte in self.file:
                process.stdin.write(bytes((byte,)))
                await asyncio.sleep(0.2)

        await self.many(conn, lambda conn: self.hold(conn, write))

    async def spools(self, conn):
        async def write(process):
            process.stdin.write(self.file)
            while True:
                process.stdin.write(bytes(1 << 18))
                await process.stdin.drain()
                counts['MiB'] += 1 / 4

        await self.many(conn, lambda conn: self.hold(conn, write), 16)

    async def packets(self, conn):
        """Channels that take packets of odd sizes."""
        for size in (10, 1, (1 << 32) - 1):
            await asyncio.wait_for(conn.run(
                'test-signing', max_pktsize=size, input=self.file,
                encoding=None), 5)
            counts['files'] += 1


async def report():
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(', '.join(f'{round(n)} {what}' for what, n in counts.items()),
              flush=True)
        counts.clear()


async def main(port, key, address, path, attack):
    # How many play it at once.
    players = {'half_open': 64, 'connections': 300, 'packets': 16, 'unread': 4,
               'spools': 2, 'rows': 8, 'refused': 8, 'idle': 9, 'slow': 4}
    client = Client(port, key, address, path)
    play = getattr(client, attack)
    for _ in range(players[attack]):
        asyncio.ensure_future(play() if attack == 'half_open'
                              else client.again(play))
    await report()


asyncio.run(main(*sys.argv[1:]))
