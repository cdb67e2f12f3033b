/*
 * The store's tables: what is sold, how much of it there is, and what is added to it.
 *
 * What always holds: a product has at least one variant; what is reserved of a variant is the sum
 * of the reservations that hold some of it, and where its stock is tracked, there is as much.
 */
#ifndef SETPAY_MERCHANT_STORE_CATALOGUE_SCHEMA_H
#define SETPAY_MERCHANT_STORE_CATALOGUE_SCHEMA_H

#include "common/store/search.h"

/* SQL for a migration of the merchant's database. A product is found by the words of its row
 * number in the search index. */
/* clang-format off */
#define SETPAY_CATALOGUE_SCHEMA                                                                    \
    "CREATE TABLE category ("                                                                      \
    " seq INTEGER PRIMARY KEY,"                                                                    \
    " slug TEXT NOT NULL UNIQUE,"                                                                  \
    " name TEXT NOT NULL,"                                                                         \
    " parent_seq INTEGER,"                                                                         \
    " position INTEGER NOT NULL,"                                                                  \
    " version INTEGER NOT NULL);"                                                                  \
    "CREATE TABLE product ("                                                                       \
    " seq INTEGER PRIMARY KEY,"                                                                    \
    " product_id TEXT NOT NULL UNIQUE,"                                                            \
    " slug TEXT NOT NULL UNIQUE,"                                                                  \
    " name TEXT NOT NULL,"                                                                         \
    " name_key TEXT NOT NULL," /* by which names are sorted */                                     \
    " description TEXT NOT NULL,"                                                                  \
    " status INTEGER NOT NULL,"                                                                    \
    " tax_class TEXT NOT NULL,"                                                                    \
    " created_ms INTEGER NOT NULL,"                                                                \
    " updated_ms INTEGER NOT NULL,"                                                                \
    " version INTEGER NOT NULL);"                                                                  \
    "CREATE INDEX product_name ON product (name_key, seq);"                                        \
    "CREATE TABLE product_category ("                                                              \
    " product_seq INTEGER NOT NULL,"                                                               \
    " category_seq INTEGER NOT NULL,"                                                              \
    " PRIMARY KEY (product_seq, category_seq));"                                                   \
    "CREATE INDEX product_category_of ON product_category (category_seq);"                         \
    "CREATE TABLE variant ("                                                                       \
    " seq INTEGER PRIMARY KEY,"                                                                    \
    " product_seq INTEGER NOT NULL,"                                                               \
    " sku TEXT NOT NULL UNIQUE,"                                                                   \
    " position INTEGER NOT NULL,"                                                                  \
    " options TEXT NOT NULL," /* a JSON object of texts */                                         \
    " weight_g INTEGER NOT NULL,"                                                                  \
    " tracked INTEGER NOT NULL,"                                                                   \
    " on_hand INTEGER NOT NULL CHECK (on_hand >= 0),"                                              \
    " reserved INTEGER NOT NULL CHECK (reserved >= 0),"                                            \
    " CHECK (tracked = 0 OR reserved <= on_hand));"                                                \
    "CREATE INDEX variant_product ON variant (product_seq, position);"                             \
    "CREATE TABLE variant_option ("                                                                \
    " variant_seq INTEGER NOT NULL,"                                                               \
    " name TEXT NOT NULL,"                                                                         \
    " value TEXT NOT NULL,"                                                                        \
    " PRIMARY KEY (variant_seq, name));"                                                           \
    "CREATE INDEX variant_option_value ON variant_option (name, value);"                           \
    "CREATE TABLE price ("                                                                         \
    " variant_seq INTEGER NOT NULL,"                                                               \
    " currency TEXT NOT NULL,"                                                                     \
    " amount_minor INTEGER NOT NULL,"                                                              \
    " PRIMARY KEY (variant_seq, currency));"                                                       \
    "CREATE TABLE picture ("                                                                       \
    " seq INTEGER PRIMARY KEY,"                                                                    \
    " digest BLOB NOT NULL UNIQUE,"                                                                \
    " type INTEGER NOT NULL,"                                                                      \
    " bytes BLOB NOT NULL);"                                                                       \
    "CREATE TABLE product_picture ("                                                               \
    " product_seq INTEGER NOT NULL,"                                                               \
    " position INTEGER NOT NULL,"                                                                  \
    " digest BLOB NOT NULL,"                                                                       \
    " alt TEXT NOT NULL,"                                                                          \
    " PRIMARY KEY (product_seq, position));"                                                       \
    "CREATE INDEX product_picture_digest ON product_picture (digest);"                             \
    "CREATE TABLE tax_rate ("                                                                      \
    " class TEXT NOT NULL,"                                                                        \
    " country TEXT NOT NULL,"                                                                      \
    " region TEXT NOT NULL,"  /* "": the whole country */                                          \
    " name TEXT NOT NULL,"                                                                         \
    " rate_ppm INTEGER NOT NULL,"                                                                  \
    " included INTEGER NOT NULL," /* in the prices */                                              \
    " version INTEGER NOT NULL,"                                                                   \
    " PRIMARY KEY (class, country, region));"                                                      \
    "CREATE TABLE shipping_method ("                                                               \
    " seq INTEGER PRIMARY KEY,"                                                                    \
    " slug TEXT NOT NULL UNIQUE,"                                                                  \
    " name TEXT NOT NULL,"                                                                         \
    " tax_class TEXT NOT NULL,"                                                                    \
    " position INTEGER NOT NULL,"                                                                  \
    " zones TEXT NOT NULL," /* JSON, as it was checked */                                          \
    " version INTEGER NOT NULL);"                                                                  \
    "CREATE TABLE reservation ("                                                                   \
    " order_id TEXT NOT NULL,"                                                                     \
    " variant_seq INTEGER NOT NULL,"                                                               \
    " sku TEXT NOT NULL,"                                                                          \
    " quantity INTEGER NOT NULL,"                                                                  \
    " state INTEGER NOT NULL,"                                                                     \
    " taken INTEGER NOT NULL," /* of the stock, when it was sold */                                \
    " PRIMARY KEY (order_id, variant_seq));"                                                       \
    "CREATE INDEX reservation_state ON reservation (state);"                                       \
    "CREATE TABLE stock_log ("                                                                     \
    " seq INTEGER PRIMARY KEY,"                                                                    \
    " sku TEXT NOT NULL,"                                                                          \
    " change INTEGER NOT NULL,"                                                                    \
    " on_hand INTEGER NOT NULL," /* after it */                                                    \
    " reason TEXT NOT NULL,"                                                                       \
    " order_id TEXT NOT NULL," /* "": not by an order */                                           \
    " at_ms INTEGER NOT NULL);"                                                                    \
    "CREATE INDEX stock_log_sku ON stock_log (sku, seq);"                                          \
    "CREATE TABLE order_quote ("                                                                   \
    " order_id TEXT PRIMARY KEY,"                                                                  \
    " country TEXT NOT NULL,"                                                                      \
    " region TEXT NOT NULL,"                                                                       \
    " shipping_method TEXT NOT NULL,"                                                              \
    " shipping_minor INTEGER NOT NULL);"                                                           \
    "CREATE TABLE order_tax ("                                                                     \
    " order_id TEXT NOT NULL,"                                                                     \
    " position INTEGER NOT NULL,"                                                                  \
    " name TEXT NOT NULL,"                                                                         \
    " rate_ppm INTEGER NOT NULL,"                                                                  \
    " included INTEGER NOT NULL,"                                                                  \
    " base_minor INTEGER NOT NULL," /* what it is on, without it */                                \
    " tax_minor INTEGER NOT NULL,"                                                                 \
    " PRIMARY KEY (order_id, position));"                                                          \
    SETPAY_SEARCH_SCHEMA
/* clang-format on */

#endif
