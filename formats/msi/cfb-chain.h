/*
 * Parts of the reader of compound files; for cfb*.c only.
 */

#ifndef FORMATS_MSI_CFB_CHAIN_H
#define FORMATS_MSI_CFB_CHAIN_H

#include <stdbool.h>

#include "formats/msi/cfb.h"

bool cfb_is_zero(const uint8_t *p, size_t n);

/*
 * Mark one as used by what (in the error, which is at this offset), in a map of
 * bits for all there are.  HT_ERR_DATA if there is none such, or it is marked:
 * it is in another chain, or in the same one twice, which is a circle.
 */
int cfb_claim(uint8_t *claimed, uint32_t all, uint32_t one, const char *what,
    uint64_t at, struct ht_error *e);
int cfb_claim_sector(struct cfb *cfb, uint32_t sector, const char *what,
    uint64_t at, struct ht_error *e);

/*
 * Walk the chain from sector into list, claiming each.  HT_ERR_DATA for one of
 * more than max sectors.
 */
int cfb_read_chain(struct cfb *cfb, uint32_t sector, size_t max,
    const char *what, struct cfb_list *list, struct ht_error *e);

/*
 * HT_ERR_DATA unless the list is as long as the header says.
 */
int cfb_check_length(const struct cfb_list *list, uint32_t expected,
    const char *what, uint64_t at, struct ht_error *e);

/*
 * Append the entries of a table's sector to it, up to count of them in all;
 * what comes behind must say that it is free or, if also_end, the end of a
 * chain, as osslsigncode leaves one.
 */
int cfb_read_table_sector(struct cfb *cfb, uint32_t sector,
    struct cfb_list *table, uint32_t count, bool also_end, struct ht_error *e);

/*
 * In cfb-directory.c: the directory, whose chain is cfb->directory, into
 * entries; and its trees, which must be in order, into members.
 */
int cfb_read_directory(struct cfb *cfb, struct ht_error *e);
int cfb_read_trees(struct cfb *cfb, struct ht_error *e);

/*
 * In cfb-streams.c: the mini stream with its FAT; and that all streams' chains
 * are good, and nothing is outside of them.
 */
int cfb_read_mini_stream(struct cfb *cfb, struct ht_error *e);
int cfb_check_streams(struct cfb *cfb, struct ht_error *e);

#endif
