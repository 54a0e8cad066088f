#!/usr/bin/python3
"""A client that knows SSH, and does with it what no honest client would.

usage: hostile_client.py PORT KEY TRICK [FILE]

Prints what came of it, in one line.
"""

import asyncio
import sys
import warnings

warnings.simplefilter('ignore')

import asyncssh  # noqa: E402
from asyncssh.packet import Boolean, String, UInt32  # noqa: E402

USERAUTH_REQUEST = 50
GLOBAL_REQUEST = 80
CHANNEL_DATA = 94


def attempt(method, rest):
    return [String('sign'), String('ssh-connection'), String(method), rest]


class Impatient(asyncssh.SSHClient):
    """Sends more attempts than anybody has, by a method nobody offers."""

    packet = None
    waited = False

    def connection_made(self, conn):
        self.conn = conn

    async def public_key_auth_requested(self):
        for _ in range(1000):
            self.conn.send_packet(USERAUTH_REQUEST, *self.packet)
        await asyncio.sleep(10)
        Impatient.waited = True


def connect(port, keys, factory=None):
    return asyncssh.connect('127.0.0.1', port, username='sign',
                            known_hosts=None, agent_path=None,
                            client_keys=keys, client_factory=factory,
                            encryption_algs=['aes128-gcm@openssh.com'])


async def log_in_with(port, method, rest):
    Impatient.packet = attempt(method, rest)
    try:
        async with connect(port, None, Impatient):
            return 'logged in'
    except (asyncssh.Error, OSError):
        return 'not closed' if Impatient.waited else 'closed'


async def status_of(conn, command):
    return (await conn.run(command, stdin=asyncssh.DEVNULL)).exit_status


async def cut(conn, path):
    """A whole file, then a close of the channel without an end of file."""
    process = await conn.create_process('test-signing', encoding=None)
    with open(path, 'rb') as file:
        process.stdin.write(file.read())
    await process.stdin.drain()
    await asyncio.sleep(1)
    process.channel.abort()
    await process.wait_closed()
    return f'then {await status_of(conn, "profiles")}'


async def crowd(conn, _):
    """Sessions until there are no more."""
    processes = []
    try:
        while len(processes) < 1000:
            processes.append(await conn.create_process('test-signing'))
    except asyncssh.ChannelOpenError:
        pass
    for process in processes:
        process.channel.abort()
        await process.wait_closed()
    return f'{len(processes)}, then {await status_of(conn, "profiles")}'


async def environment(conn, _):
    """Variables without end, and large ones."""
    variables = {f'LC_{i}': 'x' * 1000 for i in range(5000)}
    variables['HTSIGN_DESCRIPTION'] = 'x' * 30000
    result = await conn.run('profiles', env=variables, check=False,
                            stdin=asyncssh.DEVNULL)
    return f'{result.exit_status}'


async def nowhere(conn, _):
    """Data for a channel that there is not."""
    conn.send_packet(CHANNEL_DATA, UInt32(77), String(b'x'))
    return f'{await status_of(conn, "profiles")}'


async def deaf(conn, _):
    """Requests without end, and no answer is read."""
    transport = conn._transport
    transport.pause_reading()
    while not transport.is_closing():
        for _ in range(1000):
            conn.send_packet(GLOBAL_REQUEST, String('x'), Boolean(True))
        while (transport.get_write_buffer_size() > 1 << 20 and
               not transport.is_closing()):
            await asyncio.sleep(0.01)
        await asyncio.sleep(0)
    return 'closed'


async def main(port, key, trick, path=None):
    if trick == 'passwords':
        return await log_in_with(port, 'password',
                                 Boolean(False) + String('x'))
    if trick == 'gssapi':
        kerberos = bytes.fromhex('06092a864886f712010202')
        return await log_in_with(port, 'gssapi-with-mic',
                                 UInt32(1) + String(kerberos))
    tricks = (cut, crowd, environment, nowhere, deaf)
    play = {one.__name__: one for one in tricks}[trick]
    async with connect(port, [(key, key + '-cert.pub')]) as conn:
        return await play(conn, path)


print(asyncio.run(main(int(sys.argv[1]), *sys.argv[2:])))
