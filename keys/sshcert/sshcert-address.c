#include "config.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include "keys/sshcert/sshcert.h"

/* The longest entry: an IPv6 address with an IPv4 tail, and "/128". */
#define ENTRY_SIZE (INET6_ADDRSTRLEN + 4)

static const uint8_t mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

struct network {
	uint8_t bytes[16];
	unsigned int length; /* of the address: 4 or 16 bytes */
	unsigned int bits;   /* of the prefix */
};

/* Parse the number after the slash: 0 to max, without leading zeros. */
static bool
parse_bits(const char *s, unsigned int max, unsigned int *bits)
{
	size_t i, n = strlen(s);

	if (n == 0 || n > 3 || (n > 1 && s[0] == '0') ||
	    strspn(s, "0123456789") != n)
		return false;
	*bits = 0;
	for (i = 0; i < n; i++)
		*bits = *bits * 10 + (unsigned int)(s[i] - '0');
	return *bits <= max;
}

/* True if all bits after the prefix are zero. */
static bool
host_bits_zero(const struct network *net)
{
	unsigned int i;

	for (i = net->bits; i < net->length * 8; i++) {
		if ((net->bytes[i / 8] >> (7 - i % 8) & 1) != 0)
			return false;
	}
	return true;
}

/*
 * ::ffff:a.b.c.d is a.b.c.d.  No host bit is set, so the prefix has 96 bits or
 * more.
 */
static void
unmap(struct network *net)
{
	if (net->length != 16 ||
	    memcmp(net->bytes, mapped_prefix, sizeof(mapped_prefix)) != 0)
		return;
	memmove(net->bytes, net->bytes + 12, 4);
	net->length = 4;
	net->bits -= 96;
}

static bool
parse_network(char *text, struct network *net)
{
	char *slash = strchr(text, '/');

	if (slash != NULL)
		*slash++ = '\0';
	memset(net, 0, sizeof(*net));
	if (inet_pton(AF_INET, text, net->bytes) == 1)
		net->length = 4;
	else if (inet_pton(AF_INET6, text, net->bytes) == 1)
		net->length = 16;
	else
		return false;
	net->bits = net->length * 8;
	if (slash != NULL && !parse_bits(slash, net->length * 8, &net->bits))
		return false;
	if (!host_bits_zero(net))
		return false;
	unmap(net);
	return true;
}

/* Take the first entry off the list.  False if it is empty or wrong. */
static bool
next_network(const char **list, struct network *net)
{
	char entry[ENTRY_SIZE];
	size_t n = strcspn(*list, ",");

	if (n >= sizeof(entry))
		return false;
	memcpy(entry, *list, n);
	entry[n] = '\0';
	*list += n;
	return parse_network(entry, net);
}

bool
sshcert_addresses_valid(const char *list)
{
	struct network net;

	for (;;) {
		if (!next_network(&list, &net))
			return false;
		if (*list == '\0')
			return true;
		list++;
	}
}

static bool
network_holds(const struct network *net, const struct network *address)
{
	unsigned int whole = net->bits / 8, rest = net->bits % 8;

	if (net->length != address->length ||
	    memcmp(net->bytes, address->bytes, whole) != 0)
		return false;
	return rest == 0 ||
	    (net->bytes[whole] ^ address->bytes[whole]) >> (8 - rest) == 0;
}

/* Parse an address without a prefix.  The zone ("%eth0") is ignored. */
static bool
parse_peer(const char *peer, struct network *address)
{
	char text[ENTRY_SIZE];
	size_t n = strcspn(peer, "%");

	if (n >= sizeof(text) || memchr(peer, '/', n) != NULL)
		return false;
	memcpy(text, peer, n);
	text[n] = '\0';
	return parse_network(text, address);
}

bool
sshcert_address_in(const char *list, const char *peer)
{
	struct network net, address;

	if (!sshcert_addresses_valid(list) || !parse_peer(peer, &address))
		return false;
	for (;;) {
		if (next_network(&list, &net) && network_holds(&net, &address))
			return true;
		if (*list == '\0')
			return false;
		list++;
	}
}
