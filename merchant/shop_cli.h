/*
 * setpay-merchant's commands about the store: flags, shaping of arguments, and words.
 */
#ifndef SETPAY_MERCHANT_SHOP_CLI_H
#define SETPAY_MERCHANT_SHOP_CLI_H

#include "common/net/operator.h"

extern const struct setpay_flag setpay_merchant_product_list_flags[];
extern const struct setpay_flag setpay_merchant_product_flags[];
extern const struct setpay_flag setpay_merchant_price_flags[];
extern const struct setpay_flag setpay_merchant_picture_flags[];
extern const struct setpay_flag setpay_merchant_picture_set_flags[];
extern const struct setpay_flag setpay_merchant_picture_remove_flags[];
extern const struct setpay_flag setpay_merchant_category_flags[];
extern const struct setpay_flag setpay_merchant_stock_flags[];
extern const struct setpay_flag setpay_merchant_stock_list_flags[];
extern const struct setpay_flag setpay_merchant_shipping_flags[];
extern const struct setpay_flag setpay_merchant_tax_flags[];

void setpay_merchant_words_products(const json_t *result);
void setpay_merchant_words_product(const json_t *result);
void setpay_merchant_words_imported(const json_t *result);
void setpay_merchant_words_removed(const json_t *result);
void setpay_merchant_words_categories(const json_t *result);
void setpay_merchant_words_category(const json_t *result);
void setpay_merchant_words_stocks(const json_t *result);
void setpay_merchant_words_stock(const json_t *result);
void setpay_merchant_words_shippings(const json_t *result);
void setpay_merchant_words_shipping(const json_t *result);
void setpay_merchant_words_taxes(const json_t *result);
void setpay_merchant_words_tax(const json_t *result);

/* Before a command is sent: flags that stand for more than one member become what the daemon takes;
 * the file of an import is read. */
enum setpay_error setpay_merchant_shop_shape(const char *name, json_t *args,
                                             struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* clang-format off */
#define SETPAY_MERCHANT_PRODUCT_USAGE                                                              \
    "[--name TEXT] [--description TEXT] [--status draft|published|archived] [--category SLUG]"     \
    " [--tax-class CLASS]"
#define SETPAY_MERCHANT_TAX_USAGE "[--name NAME] [--percent 19] [--included yes|no]"
#define SETPAY_MERCHANT_SHOP_OPERATOR_COMMANDS                                                     \
    {{"product", "list"}, "product.list", NULL, setpay_merchant_product_list_flags,                \
     setpay_merchant_words_products,                                                               \
     "[--search WORDS] [--status STATUS] [--category SLUG] [--in-stock]"                           \
     " [--sort newest|name|price|-price] [--limit N] [--cursor C]",                                \
     "products"},                                                                                  \
    {{"product", "show"}, "product.show", "id", NULL, setpay_merchant_words_product,               \
     "PRODUCT", "a product (by its slug or id), its variants and pictures"},                       \
    {{"product", "add"}, "product.add", NULL, setpay_merchant_product_flags,                       \
     setpay_merchant_words_product,                                                                \
     "--slug SLUG --sku SKU --amount \"12.50 EUR\" [--price \"13.90 USD\"]... [--on-hand N]"          \
     " [--weight GRAMS] "                                                                          \
     SETPAY_MERCHANT_PRODUCT_USAGE " | --file FILE|-",                                             \
     "make a product; FILE holds the JSON that POST /products takes"},                             \
    {{"product", "set"}, "product.set", "id", setpay_merchant_product_flags,                       \
     setpay_merchant_words_product,                                                                \
     "PRODUCT [--slug SLUG] " SETPAY_MERCHANT_PRODUCT_USAGE " | PRODUCT --file FILE|-",            \
     "change a product"},                                                                          \
    {{"product", "remove"}, "product.remove", "id", NULL, setpay_merchant_words_removed,           \
     "PRODUCT", "delete a product (archiving it keeps it)"},                                       \
    {{"product", "import"}, "product.import", "file", NULL, setpay_merchant_words_imported,        \
     "FILE.json|FILE.csv", "a catalogue out of a file, all of it or nothing"},                     \
    {{"price", "set"}, "price.set", "id", setpay_merchant_price_flags,                             \
     setpay_merchant_words_product, "SKU [--price \"12.50 EUR\"]... [--without CUR]...",           \
     "say what a variant costs in some currencies; its other prices stay"},                        \
    {{"picture", "add"}, "picture.add", "id", setpay_merchant_picture_flags,                       \
     setpay_merchant_words_product, "PRODUCT --picture FILE --alt TEXT",                           \
     "one more picture of a product: SVG, PNG, JPEG or WebP"},                                     \
    {{"picture", "set"}, "picture.set", "id", setpay_merchant_picture_set_flags,                   \
     setpay_merchant_words_product, "PRODUCT --picture ID [--alt TEXT] [--position N]",            \
     "say anew what one shows, or where it stands; the first is the product's face"},              \
    {{"picture", "remove"}, "picture.remove", "id", setpay_merchant_picture_remove_flags,          \
     setpay_merchant_words_product, "PRODUCT --picture ID", "take one away"},                      \
    {{"category", "list"}, "category.list", NULL, NULL, setpay_merchant_words_categories,          \
     "", "the tree of categories"},                                                                \
    {{"category", "add"}, "category.add", NULL, setpay_merchant_category_flags,                    \
     setpay_merchant_words_category,                                                               \
     "--slug SLUG --name TEXT [--parent SLUG] [--position N]", "make a category"},                 \
    {{"category", "set"}, "category.set", "id", setpay_merchant_category_flags,                    \
     setpay_merchant_words_category,                                                               \
     "CATEGORY [--slug SLUG] [--name TEXT] [--parent SLUG|none] [--position N]",                   \
     "change a category"},                                                                         \
    {{"category", "remove"}, "category.remove", "id", NULL, setpay_merchant_words_removed,         \
     "CATEGORY", "delete a category; its products stay"},                                          \
    {{"stock", "list"}, "stock.list", NULL, setpay_merchant_stock_list_flags,                      \
     setpay_merchant_words_stocks, "[--limit N] [--cursor C]", "what is there of each variant"},   \
    {{"stock", "show"}, "stock.show", "id", NULL, setpay_merchant_words_stock,                     \
     "SKU", "the stock of a variant, and how it came about"},                                      \
    {{"stock", "set"}, "stock.adjust", "id", setpay_merchant_stock_flags,                          \
     setpay_merchant_words_stock,                                                                  \
     "SKU [--on-hand N] [--tracked yes|no] --reason TEXT | SKU --low-at N",                        \
     "say what is there, or how many are few"},                                                    \
    {{"stock", "adjust"}, "stock.adjust", "id", setpay_merchant_stock_flags,                       \
     setpay_merchant_words_stock, "SKU --change N --reason TEXT", "say by how much it changes"},   \
    {{"shipping", "list"}, "shipping.list", NULL, NULL, setpay_merchant_words_shippings,           \
     "", "ways of shipping, and what they cost"},                                                  \
    {{"shipping", "add"}, "shipping.add", NULL, setpay_merchant_shipping_flags,                    \
     setpay_merchant_words_shipping, "--file FILE|-",                                              \
     "make one; FILE holds the JSON that POST /shipping-methods takes"},                           \
    {{"shipping", "set"}, "shipping.set", "id", setpay_merchant_shipping_flags,                    \
     setpay_merchant_words_shipping, "METHOD --file FILE|-", "change one"},                        \
    {{"shipping", "remove"}, "shipping.remove", "id", NULL, setpay_merchant_words_removed,         \
     "METHOD", "delete one"},                                                                      \
    {{"tax", "list"}, "tax.list", NULL, NULL, setpay_merchant_words_taxes, "", "tax rates"},       \
    {{"tax", "add"}, "tax.add", NULL, setpay_merchant_tax_flags, setpay_merchant_words_tax,        \
     "--country CC [--region R] [--class CLASS] " SETPAY_MERCHANT_TAX_USAGE,                       \
     "make a tax rate; prices hold it unless --included no"},                                      \
    {{"tax", "set"}, "tax.set", "id", setpay_merchant_tax_flags, setpay_merchant_words_tax,        \
     "RATE " SETPAY_MERCHANT_TAX_USAGE, "change a tax rate"},                                      \
    {{"tax", "remove"}, "tax.remove", "id", NULL, setpay_merchant_words_removed,                   \
     "RATE", "delete a tax rate"}
/* clang-format on */

#endif
