/*
 * A file with a catalogue, as an owner writes it, as the body of an import (shop_acts.h).
 *
 * JSON: what the import takes, where a picture is {"file","alt"} with the name of a file beside it.
 * CSV (RFC 4180, UTF-8, the first line names the columns): a row is a variant; rows with the same
 * slug are one product, whose own columns count in its first row. Columns: slug, name, description,
 * status, tax_class, categories (slugs with ';' between), sku, weight_g, on_hand, low_at, picture,
 * picture_alt, option:NAME, price:CURRENCY ("12.50").
 */
#ifndef SETPAY_MERCHANT_CATALOGUE_FILE_H
#define SETPAY_MERCHANT_CATALOGUE_FILE_H

#include "common/base/error.h"

#include <jansson.h>

#define SETPAY_CATALOGUE_FILE_BYTES (4 * 1024 * 1024)
#define SETPAY_CATALOGUE_COLUMNS_MAX 64

/* *body is owned. SETPAY_E_USAGE with words that name file, line, and what is wrong there. A name
 * that ends in .csv is CSV. */
enum setpay_error setpay_catalogue_file_read(const char *path, json_t **body,
                                             struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* {"file","alt"} becomes {"type","alt","data"}; what has no file stays. The file's name is taken
 * from the folder of the file at path ("": from here). SETPAY_E_USAGE. */
enum setpay_error setpay_catalogue_picture_load(const char *path, json_t *picture,
                                                struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* CSV out of memory; name stands in words. */
enum setpay_error setpay_catalogue_csv_parse(const char *name, const char *text, json_t **body,
                                             struct setpay_problem *problem) SETPAY_MUST_CHECK;

#endif
