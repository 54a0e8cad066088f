/*
 * Parts of the reader of compound files (cfb.h), for cfb*.c only.
 */

#ifndef FORMATS_MSI_CFB_CHAIN_H
#define FORMATS_MSI_CFB_CHAIN_H

#include <stdbool.h>

#include "formats/msi/cfb.h"

/*
 * Whether all of the n bytes at p are zero.
 */
bool cfb_is_zero(const uint8_t *p, size_t n);

/*
 * Mark one as used in claimed, a map with a bit for each of `all`.  HT_ERR_DATA
 * at offset `at` if there is no such one, or if it is marked already: it is in
 * another chain, or twice in this one, which is a circle.  what names the chain
 * in the error.  cfb_claim_sector marks a sector in cfb->claimed.
 */
int cfb_claim(uint8_t *claimed, uint32_t all, uint32_t one, const char *what,
    uint64_t at, struct ht_error *e);
int cfb_claim_sector(struct cfb *cfb, uint32_t sector, const char *what,
    uint64_t at, struct ht_error *e);

/*
 * Append the sectors of the chain that starts at sector to list, and claim
 * each.  HT_ERR_DATA if it is damaged or list would have more than max.
 * HT_ERR_INTERNAL without memory.
 */
int cfb_read_chain(struct cfb *cfb, uint32_t sector, size_t max,
    const char *what, struct cfb_list *list, struct ht_error *e);

/*
 * Check that the list is as long as the header says.  HT_ERR_DATA if not.
 */
int cfb_check_length(const struct cfb_list *list, uint32_t expected,
    const char *what, uint64_t at, struct ht_error *e);

/*
 * Append the entries in a table's sector to the table, up to count in all.  The
 * entries after these must be free.  With also_end they may also be the end of
 * a chain, which osslsigncode writes.  HT_ERR_DATA if not, HT_ERR_INTERNAL
 * without memory, or as input_read.
 */
int cfb_read_table_sector(struct cfb *cfb, uint32_t sector,
    struct cfb_list *table, uint32_t count, bool also_end, struct ht_error *e);

/*
 * In cfb-directory.c.  Read the directory, whose chain is cfb->directory, into
 * entries.  Read its trees, which must be in order, into members.  HT_ERR_DATA
 * with the broken clause, HT_ERR_INTERNAL without memory, or as input_read.
 */
int cfb_read_directory(struct cfb *cfb, struct ht_error *e);
int cfb_read_trees(struct cfb *cfb, struct ht_error *e);

/*
 * In cfb-streams.c.  Read the mini stream with its FAT.  Check that the chains
 * of all streams are good, and that nothing is outside of them.  Errors as
 * above.
 */
int cfb_read_mini_stream(struct cfb *cfb, struct ht_error *e);
int cfb_check_streams(struct cfb *cfb, struct ht_error *e);

#endif
