"""Have a file signed by a client that is no OpenSSH: paramiko.

    paramiko_client.py PORT KEY PROFILE <IN >OUT

The certificate of KEY is in KEY-cert.pub.  Says on stderr which cipher and MAC
the two have agreed on.
"""

import logging
import sys

import paramiko

port, key, profile = sys.argv[1:]
logging.getLogger("paramiko").addHandler(logging.NullHandler())
transport = paramiko.Transport(("127.0.0.1", int(port)))
try:
    transport.start_client(timeout=20)
except paramiko.SSHException as error:
    sys.exit(f"paramiko: {error}")
print(transport.local_cipher, transport.local_mac, file=sys.stderr)
pkey = paramiko.Ed25519Key.from_private_key_file(key)
pkey.load_certificate(key + "-cert.pub")
transport.auth_publickey("sign", pkey)
channel = transport.open_session(timeout=20)
channel.settimeout(20)
channel.exec_command(profile)
channel.sendall(sys.stdin.buffer.read())
channel.shutdown_write()
with channel.makefile("rb") as out:
    sys.stdout.buffer.write(out.read())
status = channel.recv_exit_status()
transport.close()
sys.exit(status)
