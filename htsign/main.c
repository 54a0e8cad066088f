#include "config.h"

#include "htsign/htsign.h"

int
main(int argc, char **argv)
{
	return htsign_main(argc, argv);
}
