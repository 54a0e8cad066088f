#!/usr/bin/python3
"""A client that knows SSH, and does with it what no honest client would.

usage: hostile_client.py PORT KEY TRICK [SIZE] [FILE]

Prints what came of it, in one line.
"""

import asyncio
import random
import sys
import warnings

warnings.simplefilter('ignore')

import asyncssh  # noqa: E402
from asyncssh.packet import Boolean, String, UInt32  # noqa: E402

IGNORE = 2
KEX = range(30, 50)
USERAUTH_REQUEST = 50
GLOBAL_REQUEST = 80
CHANNEL_WINDOW_ADJUST = 93
CHANNEL_DATA = 94
CHANNEL_CLOSE = 97
CHANNEL_REQUEST = 98


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


async def packet_size(conn, size, path):
    """A channel that takes packets of SIZE bytes."""
    with open(path, 'rb') as file:
        data = file.read()
    running = conn.run('test-signing', max_pktsize=int(size), input=data,
                       encoding=None)
    try:
        status = (await asyncio.wait_for(running, 5)).exit_status
    except asyncio.TimeoutError:
        return 'ignored'
    return 'closed' if status is None else f'{status}'


async def window(conn, size, path):
    """A channel that takes no byte at first, and then SIZE more."""
    process = await conn.create_process('test-signing', encoding=None,
                                        window=0)
    channel = process.channel
    channel._init_recv_window = 1 << 30  # as for asyncssh: never too much
    channel._recv_window = 1 << 31
    with open(path, 'rb') as file:
        process.stdin.write(file.read())
    process.stdin.write_eof()
    await asyncio.sleep(1)
    for _ in range(2):
        conn.send_packet(CHANNEL_WINDOW_ADJUST, UInt32(channel._send_chan),
                         UInt32(int(size)))
    return f'{(await process.wait()).exit_status}'


def say(line):
    print(line, flush=True)


async def heard():
    """Wait for a line from whoever plays with us."""
    await asyncio.get_running_loop().run_in_executor(None,
                                                     sys.stdin.readline)


async def unread(conn, path):
    """Files for as many shells as there may be, which do not read them yet."""
    with open(path, 'rb') as file:
        data = file.read()
    processes = [await conn.create_process('test-signing --pkcs7',
                                           encoding=None)
                 for _ in range(64)]
    say('open')
    await heard()
    if conn._transport is None:
        return 'closed'
    for process in processes:
        process.stdin.write(data)
        process.stdin.write_eof()
    results = await asyncio.gather(*(one.wait() for one in processes))
    return f'{sum(one.exit_status == 0 for one in results)} signed'


async def early(conn, path):
    """Data on many channels before there is a command."""
    with open(path, 'rb') as file:
        data = file.read()
    channels = []
    for _ in range(64):
        channel = asyncssh.channel.SSHClientChannel(
            conn, asyncio.get_running_loop(), None, 'strict', 1 << 21, 1 << 15)
        await channel._open(b'session')
        channel._session = asyncssh.SSHClientSession()
        channel.write(data)
        channels.append(channel)
    say('sent')
    await heard()
    taken = await channels[0]._make_request(b'exec', String('profiles'))
    return f'a command: {taken}'


async def late_session(conn, command, before, answer=True):
    """BEFORE bytes while it runs, and a whole window of them once the server
    has closed it: its status, and the packets that followed the close.  Without
    ANSWER it stays half open."""
    channel = asyncssh.channel.SSHClientChannel(
        conn, asyncio.get_running_loop(), None, 'strict', 1 << 21, 1 << 15)
    await channel._open(b'session')
    process = channel.process_packet
    closed = asyncio.Event()
    statuses, after = [], []

    def watch(kind, number, packet):
        if closed.is_set():
            after.append(kind)
        elif kind == CHANNEL_CLOSE:
            closed.set()
        elif kind == CHANNEL_REQUEST:
            packet.get_string()
            packet.get_boolean()
            statuses.append(packet.get_uint32())
        elif kind not in (CHANNEL_DATA, CHANNEL_DATA + 1, CHANNEL_DATA + 2):
            process(kind, number, packet)
        return True

    def send(size):
        while size > 0:
            part = min(size, 1 << 15)
            conn.send_packet(CHANNEL_DATA, UInt32(channel._send_chan),
                             String(bytes(part)))
            channel._send_window -= part
            size -= part

    channel.process_packet = watch
    await channel._make_request(b'exec', String(command))
    send(before)
    await closed.wait()
    send(channel._send_window)
    await conn._make_global_request(b'x')  # answered after all that
    if answer:
        conn.send_packet(CHANNEL_CLOSE, UInt32(channel._send_chan))
        channel._cleanup()
    return statuses + after


async def late(conn, _):
    """Data on channels that the server has closed."""
    sessions = (('profiles', 0), ('test-signing --size=-1', 0),
                ('test-signing --size=-1', 1024),
                ('test-signing --size=-1', 32000), ('test-signing', 32000))
    return f'{[await late_session(conn, *one) for one in sessions]}'


async def half_closed(conn, _):
    """Channels that the server has closed, each with a window of data."""
    for _ in range(64):
        await late_session(conn, 'test-signing --size=-1', 0, False)
    say('sent')
    await heard()
    return 'left'


async def burn(conn, _):
    """Packets without a meaning, until the connection ends."""
    say('burns')
    transport = conn._transport
    while not transport.is_closing():
        for _ in range(1000):
            conn.send_packet(IGNORE, String(b''))
        while (transport.get_write_buffer_size() > 1 << 20 and
               not transport.is_closing()):
            await asyncio.sleep(0.01)
        await asyncio.sleep(0)
    return 'closed'


async def rekey(conn, path):
    """A key exchange that is begun and never ended, while a shell runs."""
    process = await conn.create_process('test-signing', encoding=None)
    send = conn.send_packet

    def hold(kind, *args, **rest):
        if kind not in KEX:
            send(kind, *args, **rest)

    with open(path, 'rb') as file:
        process.stdin.write(file.read())
    process.stdin.write_eof()
    conn.send_packet = hold
    conn._send_kexinit()
    conn._kexinit_sent = True
    while conn._transport is not None:
        send(IGNORE, String(b''))
        await asyncio.sleep(0.1)
    return 'closed'


def spoil(conn, dice):
    """Let the connection change what it sends from now on."""
    send = conn.send_packet

    def spoiled(kind, *args, **rest):
        data = bytearray(b''.join(args))
        if dice.random() < 0.05:
            kind = dice.randrange(256)
        for _ in range(dice.choice((0, 0, 0, 1, 1, 3))):
            at = dice.randrange(len(data) + 1)
            number = UInt32(dice.choice((0, 1, 10, 255, 1 << 31, (1 << 32) - 1)))
            data[at:at + dice.randrange(6)] = dice.choice(
                (b'', dice.randbytes(1), number, data[:at]))
        send(kind, bytes(data), **rest)

    conn.send_packet = spoiled


async def mutate(port, key, seeds, path):
    """A connection for each of SEEDS seeds, spoiled after its login."""
    with open(path, 'rb') as file:
        data = file.read()
    for seed in range(int(seeds)):
        dice = random.Random(seed)
        async with connect(port, [(key, key + '-cert.pub')]) as conn:
            spoil(conn, dice)
            for _ in range(20):
                if conn._transport is None:
                    break
                try:
                    run = conn.run('test-signing', input=data, encoding=None)
                    await asyncio.wait_for(run, 0.5)
                except Exception:  # also those of a confused asyncssh
                    pass
            conn.abort()
    return 'all sent'


async def main(port, key, trick, *rest):
    if trick == 'passwords':
        return await log_in_with(port, 'password',
                                 Boolean(False) + String('x'))
    if trick == 'gssapi':
        kerberos = bytes.fromhex('06092a864886f712010202')
        return await log_in_with(port, 'gssapi-with-mic',
                                 UInt32(1) + String(kerberos))
    if trick == 'mutate':
        return await mutate(port, key, *rest)
    tricks = (cut, crowd, environment, nowhere, deaf, packet_size, window,
              unread, early, late, half_closed, burn, rekey)
    play = {one.__name__: one for one in tricks}[trick]
    async with connect(port, [(key, key + '-cert.pub')]) as conn:
        try:
            return await play(conn, *(rest or [None]))
        except (asyncssh.Error, OSError):
            return 'closed'


print(asyncio.run(main(int(sys.argv[1]), *sys.argv[2:])))
