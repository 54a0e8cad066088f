#!/usr/bin/python3
"""A client that takes as much as it gets.

usage: greedy_client.py PORT KEY CONNECTIONS SESSIONS REFUSED COMMAND

Opens so many connections, and so many sessions of COMMAND in each, and waits at
most three minutes for REFUSED of them to be refused, and two seconds for more.
Prints "C connections, S sessions, R refused" of what is open then, and what the
last refused one was told.  Holds all of that until its standard input ends, or
until the other end has closed all of it; then prints how the sessions ended.
"""

import asyncio
import collections
import sys
import warnings

warnings.simplefilter('ignore')

import asyncssh  # noqa: E402

# How many log in at a time.
AT_ONCE = 8


async def connect(port, key, gate):
    async with gate:
        try:
            return await asyncssh.connect(
                '127.0.0.1', port, username='sign', known_hosts=None,
                agent_path=None, client_keys=[(key, key + '-cert.pub')],
                encryption_algs=['aes128-gcm@openssh.com'])
        except (asyncssh.Error, OSError):
            return None


async def open_session(conn, command):
    try:
        return await conn.create_process(command)
    except (asyncssh.Error, OSError):
        return None


async def finish(process):
    result = await process.wait(check=False)
    return result.exit_status, result.stderr


async def settle(ends, refused):
    for _ in range(180):
        if sum(end.done() for end in ends) >= refused:
            break
        await asyncio.sleep(1)
    await asyncio.sleep(2)
    return [end.result() for end in ends if end.done()]


async def main(port, key, connections, sessions, refused, command):
    gate = asyncio.Semaphore(AT_ONCE)
    conns = await asyncio.gather(*(connect(port, key, gate)
                                   for _ in range(connections)))
    conns = [conn for conn in conns if conn is not None]
    ends = []
    for _ in range(sessions):
        opened = await asyncio.gather(*(open_session(conn, command)
                                        for conn in conns))
        ends += [asyncio.ensure_future(finish(process))
                 for process in opened if process is not None]
    told = await settle(ends, refused)
    print(f'{len(conns)} connections, {len(ends) - len(told)} sessions, '
          f'{len(told)} refused', flush=True)
    if told:
        print(f'{told[-1][0]}: {told[-1][1].strip()}', flush=True)
    loop = asyncio.get_running_loop()
    held = [end for end in ends if not end.done()]
    over = asyncio.gather(*held, *(conn.wait_closed() for conn in conns))
    stop = loop.run_in_executor(None, sys.stdin.read)
    await asyncio.wait([over, stop], return_when=asyncio.FIRST_COMPLETED)
    said = collections.Counter(f'{end.result()[0]}: {end.result()[1].strip()}'
                               for end in held if end.done())
    for line, count in said.most_common():
        print(f'{count} x {line}', flush=True)
    print('closed' if over.done() else 'open', flush=True)
    for conn in conns:
        conn.abort()


asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]),
                 int(sys.argv[4]), int(sys.argv[5]), sys.argv[6]))
