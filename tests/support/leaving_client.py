#!/usr/bin/python3
"""A client that seldom stays until the end.

usage: leaving_client.py PORT KEY FILE PROFILE SEED COUNT AT_ONCE

Makes COUNT requests: it leaves at once, in the middle of the upload, at its end
or later, ends it early, sends nothing, or has a file signed; in one of forty it
cuts the connection.  Prints how they ended.
"""

import asyncio
import collections
import random
import sys
import warnings

warnings.simplefilter('ignore')

import asyncssh  # noqa: E402

port, key, path, profile = sys.argv[1:5]
seed, count, at_once = map(int, sys.argv[5:])
lot = random.Random(seed)
WAYS = ['at-once', 'middle', 'end', 'later', 'short', 'nothing', 'new', 'same']
results = collections.Counter()
with open(path, 'rb') as source:
    data = source.read()


def connect():
    return asyncssh.connect('127.0.0.1', int(port), username='sign',
                            known_hosts=None, agent_path=None,
                            client_keys=[(key, key + '-cert.pub')],
                            encryption_algs=['aes128-gcm@openssh.com'])


async def request(conn, number, way):
    part = data[:lot.randrange(1, len(data))]
    wait = lot.random() / 5
    process = await conn.create_process(profile, encoding=None)
    if way == 'new':
        process.stdin.write(data + number.to_bytes(8, 'big'))
    elif way in ('middle', 'short'):
        process.stdin.write(part)
    elif way not in ('at-once', 'nothing'):
        process.stdin.write(data)
    if way not in ('at-once', 'middle', 'end'):
        process.stdin.write_eof()
    if way in ('middle', 'end', 'later'):
        await asyncio.sleep(wait)
    if way in ('at-once', 'middle', 'end', 'later'):
        process.channel.abort()
    result = await asyncio.wait_for(process.wait(check=False), 120)
    return result.exit_status


async def attempt(conn, number, way):
    try:
        results[way, str(await request(conn, number, way))] += 1
        return True
    except (asyncssh.Error, OSError, asyncio.TimeoutError):
        results[way, 'cut'] += 1
        return False


async def work(numbers):
    conn = None
    for number in numbers:
        way, cut = lot.choice(WAYS), lot.random() < 1 / 40
        try:
            if conn is None:
                conn = await connect()
        except (asyncssh.Error, OSError):
            await asyncio.sleep(.2)
            continue
        ends = asyncio.ensure_future(attempt(conn, number, way))
        if cut:
            await asyncio.sleep(lot.random() / 5)
            conn.abort()
        if not await ends or cut:
            conn.abort()
            conn = None


async def main():
    await asyncio.gather(*(work(range(first, count, at_once))
                           for first in range(at_once)))
    print(', '.join(f'{way} {end}: {n}'
                    for (way, end), n in sorted(results.items())))


asyncio.run(main())
