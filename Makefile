# setpay: every task by name. `make` alone lists them.
#
# One file, no recursion, explicit lists. Objects and programs go to build/ (programs:
# build/bin/); nothing is written elsewhere in the tree.
#
# Variables:  CC=clang   V=1 (show commands)   SAN=address,undefined   PREFIX=/usr/local  DESTDIR=
#             SYSCONFDIR=/etc  UNITDIR=dir (systemd's units)
#             BUILD=dir (default build)        WERROR= (warnings are not errors)
#             COVERAGE=1 (count which lines are run; gcc)

CC      ?= cc
BUILD   ?= build
PREFIX  ?= /usr/local
SYSCONFDIR ?= /etc
UNITDIR ?= $(PREFIX)/lib/systemd/system
OPT     ?= -O2 -g
WERROR  ?= -Werror
SAN     ?=
COVERAGE ?=
V       ?= 0

VERSION := 0.1.0

PACKAGES_PC := libcrypto libssl libevent_core libevent_extra libevent_openssl libevent_pthreads \
               libprotobuf-c sqlite3 jansson inih libarchive libcurl libqrencode gmime-3.0

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wformat=2 -Wvla
HARDEN   := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE -fno-common
# GLib's headers do not meet our warnings, and one file alone includes them.
GMIME_CFLAGS := $(patsubst -I%,-isystem%,$(shell pkg-config --cflags-only-I gmime-3.0 2>/dev/null))
PKG_CFLAGS := $(shell pkg-config --cflags $(filter-out gmime-3.0,$(PACKAGES_PC)) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PACKAGES_PC) 2>/dev/null)

ALL_CPPFLAGS := -I. -I$(BUILD)/gen -D_GNU_SOURCE -DSETPAY_VERSION='"$(VERSION)"' $(CPPFLAGS)
ALL_CFLAGS   := -std=c11 $(OPT) $(WARNINGS) $(WERROR) $(HARDEN) -pthread $(PKG_CFLAGS) $(CFLAGS)
# A program needs only those libraries that it calls (libcurl, libqrencode and GMime are the merchant's alone).
ALL_LDFLAGS  := -pie -Wl,-z,relro,-z,now -Wl,--as-needed -pthread $(LDFLAGS)
ifneq ($(SAN),)
ALL_CPPFLAGS += -DSETPAY_SANITIZED=1
ALL_CFLAGS  := $(filter-out -D_FORTIFY_SOURCE=2,$(ALL_CFLAGS)) -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=undefined
ALL_LDFLAGS += -fsanitize=$(SAN)
endif
ifneq ($(COVERAGE),)
ALL_CFLAGS  := $(filter-out -D_FORTIFY_SOURCE=2,$(ALL_CFLAGS)) -O0 --coverage -fprofile-update=atomic
ALL_LDFLAGS += --coverage
endif
ifeq ($(V),0)
Q := @
say = @printf '  %-7s %s\n'
else
Q :=
say = @:
endif

.DEFAULT_GOAL := help

# ------------------------------------------------------------------ the wire (generated)
PROTO := \
	proto/setpay/v1/message.proto \
	proto/setpay/v1/payment.proto

# Files whose bytes a program holds: FILE becomes FILE.inc, a list of numbers
EMBEDDED := \
	merchant/store/admin/static/owner.css \
	merchant/store/admin/templates/error.html \
	merchant/store/admin/templates/layout_foot.html \
	merchant/store/admin/templates/layout_head.html \
	merchant/store/admin/templates/order.html \
	merchant/store/admin/templates/orders.html \
	merchant/store/admin/templates/product.html \
	merchant/store/admin/templates/products.html \
	merchant/store/admin/templates/settlement.html \
	merchant/store/admin/templates/settlement_differences.html \
	merchant/store/admin/templates/settlements.html \
	merchant/store/admin/templates/shipments.html \
	merchant/store/admin/templates/signin.html \
	merchant/store/admin/templates/stock.html \
	merchant/store/admin/templates/stock_one.html \
	merchant/store/admin/templates/webhook.html \
	merchant/store/admin/templates/webhooks.html \
	merchant/store/api/openapi.json \
	merchant/store/www/static/icon.svg \
	merchant/store/www/static/shop.css \
	merchant/store/www/static/shop.js \
	merchant/store/www/templates/about.html \
	merchant/store/www/templates/cart.html \
	merchant/store/www/templates/checkout.html \
	merchant/store/www/templates/error.html \
	merchant/store/www/templates/front.html \
	merchant/store/www/templates/goods.html \
	merchant/store/www/templates/layout_foot.html \
	merchant/store/www/templates/layout_head.html \
	merchant/store/www/templates/list.html \
	merchant/store/www/templates/order.html \
	merchant/store/www/templates/product.html \
	merchant/store/www/templates/sums.html \
	tests/sandbox/explorer/box.html \
	tests/sandbox/explorer/fields.html \
	tests/sandbox/explorer/page.css \
	tests/sandbox/explorer/page.html

# ------------------------------------------------------------------ common, layer by layer
COMMON_BASE := \
	common/base/bytes.c \
	common/base/clock.c \
	common/base/config.c \
	common/base/config_file.c \
	common/base/config_files.c \
	common/base/config_help.c \
	common/base/config_value.c \
	common/base/error.c \
	common/base/ids.c \
	common/base/log.c \
	common/base/memory.c \
	common/base/money.c \
	common/base/noun.c \
	common/base/secret.c \
	common/base/terminal.c \
	common/base/testing.c \
	common/base/zone.c

COMMON_CRYPTO := \
	common/crypto/base64.c \
	common/crypto/dual.c \
	common/crypto/envelope.c \
	common/crypto/file.c \
	common/crypto/hash.c \
	common/crypto/keyfile.c \
	common/crypto/seal.c \
	common/crypto/sign.c

COMMON_PKI := \
	common/pki/cache.c \
	common/pki/certificate.c \
	common/pki/chain.c \
	common/pki/crl.c \
	common/pki/csr.c \
	common/pki/peer.c \
	common/pki/role.c \
	common/pki/trust.c

COMMON_WIRE := \
	common/wire/agreement.c \
	common/wire/arena.c \
	common/wire/batch_messages.c \
	common/wire/cancellation.c \
	common/wire/checks.c \
	common/wire/gateway_messages.c \
	common/wire/layout.c \
	common/wire/lines.c \
	common/wire/parts.c \
	common/wire/purchase.c \
	common/wire/purchase_messages.c \
	common/wire/receipt.c \
	common/wire/scan.c \
	common/wire/settlement_file.c \
	common/wire/signed.c \
	common/wire/step_messages.c \
	common/wire/thumbs.c

COMMON_STORE := \
	common/store/answers.c \
	common/store/batch_evidence.c \
	common/store/committer.c \
	common/store/db.c \
	common/store/history.c \
	common/store/evidence.c \
	common/store/migrate.c \
	common/store/search.c \
	common/store/sqlite.c \
	common/store/store.c \
	common/store/wait.c \
	common/store/watch.c

COMMON_NET := \
	common/net/admin_http.c \
	common/net/archive.c \
	common/net/backup.c \
	common/net/backup_read.c \
	common/net/batch_file.c \
	common/net/batch_said.c \
	common/net/control_builtin.c \
	common/net/control_client.c \
	common/net/control_json.c \
	common/net/evidence_json.c \
	common/net/control_server.c \
	common/net/daemon.c \
	common/net/doctor.c \
	common/net/doctor_clock.c \
	common/net/doctor_daemon.c \
	common/net/doctor_files.c \
	common/net/doctor_peers.c \
	common/net/doctor_ports.c \
	common/net/doctor_trust.c \
	common/net/est_client.c \
	common/net/est_form.c \
	common/net/frame.c \
	common/net/frame_client.c \
	common/net/frame_server.c \
	common/net/health_metrics.c \
	common/net/http_answer.c \
	common/net/http_client.c \
	common/net/http_request.c \
	common/net/http_send.c \
	common/net/http_server.c \
	common/net/identity.c \
	common/net/keyring.c \
	common/net/keyring_load.c \
	common/net/listen.c \
	common/net/lists.c \
	common/net/loader.c \
	common/net/loop.c \
	common/net/metrics.c \
	common/net/notify.c \
	common/net/operator.c \
	common/net/operator_backup.c \
	common/net/operator_words.c \
	common/net/party_enrol.c \
	common/net/party_files.c \
	common/net/party_issue.c \
	common/net/probe.c \
	common/net/refusals.c \
	common/net/remote.c \
	common/net/restore.c \
	common/net/saved_trust.c \
	common/net/sealed.c \
	common/net/service.c \
	common/net/service_backup.c \
	common/net/service_look.c \
	common/net/stream.c \
	common/net/tls.c \
	common/net/upkeep.c

COMMON := $(COMMON_BASE) $(COMMON_CRYPTO) $(COMMON_PKI) $(COMMON_WIRE) $(COMMON_STORE) $(COMMON_NET)

# ------------------------------------------------------------------ ca
CA_CLI := \
	ca/authority.c \
	ca/backup.c \
	ca/backup_commands.c \
	ca/bundle.c \
	ca/cad_options.c \
	ca/certificate.c \
	ca/change.c \
	ca/command_table.c \
	ca/commands.c \
	ca/crl.c \
	ca/doctor.c \
	ca/doctor_command.c \
	ca/enrol.c \
	ca/enrolment.c \
	ca/enrolment_commands.c \
	ca/forward.c \
	ca/found.c \
	ca/issue.c \
	ca/lists.c \
	ca/log.c \
	ca/log_claims.c \
	ca/passphrase.c \
	ca/records.c \
	ca/registry.c \
	ca/revoke.c \
	ca/revoke_command.c \
	ca/set_back.c

CAD := \
	ca/cad.c \
	ca/cad_keys.c \
	ca/cad_lists.c \
	ca/est.c \
	ca/est_server.c \
	ca/places.c \
	ca/registrar.c

# ------------------------------------------------------------------ gateway
GATEWAY_NETWORK := \
	gateway/network/authorise.c \
	gateway/network/iso8583.c \
	gateway/network/line.c \
	gateway/network/network.c \
	gateway/network/pending.c \
	gateway/network/prefixes.c \
	gateway/network/reconcile.c \
	gateway/network/requests.c \
	gateway/network/reverse.c \
	gateway/network/sign_off.c \
	gateway/network/stored.c \
	gateway/network/tls.c \
	gateway/network/totals.c

GATEWAY_CLEARING := \
	gateway/clearing/adjustment.c \
	gateway/clearing/ahead.c \
	gateway/clearing/ahead_verify.c \
	gateway/clearing/batch.c \
	gateway/clearing/dates_verify.c \
	gateway/clearing/dispute.c \
	gateway/clearing/dispute_verify.c \
	gateway/clearing/fees.c \
	gateway/clearing/incoming.c \
	gateway/clearing/incoming_back.c \
	gateway/clearing/incoming_verify.c \
	gateway/clearing/given_back.c \
	gateway/clearing/items.c \
	gateway/clearing/ledger.c \
	gateway/clearing/ledger_verify.c \
	gateway/clearing/look_amounts.c \
	gateway/clearing/pain.c \
	gateway/clearing/payee.c \
	gateway/clearing/payment_verify.c \
	gateway/clearing/payout.c \
	gateway/clearing/payout_state.c \
	gateway/clearing/payout_verify.c \
	gateway/clearing/payout_word.c \
	gateway/clearing/presentment.c \
	gateway/clearing/reconciler.c \
	gateway/clearing/reconciliation.c \
	gateway/clearing/reconciliation_verify.c \
	gateway/clearing/reserve.c \
	gateway/clearing/reserve_verify.c \
	gateway/clearing/settlement.c \
	gateway/clearing/settlement_verify.c \
	gateway/clearing/stand_in_verify.c \
	gateway/clearing/state_verify.c \
	gateway/clearing/suspense.c \
	gateway/clearing/unsent.c \
	gateway/clearing/unsent_verify.c \
	gateway/clearing/xml.c

GATEWAY_PAYMENT := \
	gateway/payment/agreement.c \
	gateway/payment/auth.c \
	gateway/payment/auth_can.c \
	gateway/payment/auth_flow.c \
	gateway/payment/auth_further.c \
	gateway/payment/auth_keep.c \
	gateway/payment/auth_rev.c \
	gateway/payment/auth_stand_in.c \
	gateway/payment/batch_admin.c \
	gateway/payment/capture.c \
	gateway/payment/credit.c \
	gateway/payment/dispatch.c \
	gateway/payment/holds.c \
	gateway/payment/merchant_store.c \
	gateway/payment/pan.c \
	gateway/payment/payment_state.c \
	gateway/payment/payment_store.c \
	gateway/payment/pcert.c \
	gateway/payment/recover.c \
	gateway/payment/reversal.c \
	gateway/payment/reversal_store.c \
	gateway/payment/sale.c \
	gateway/payment/stand_in.c \
	gateway/payment/step_keep.c \
	gateway/payment/step_store.c \
	gateway/payment/steps.c \
	gateway/payment/store_forward.c \
	gateway/payment/vault.c

GATEWAYD := \
	gateway/advice_commands.c \
	gateway/agreement_view.c \
	gateway/audit_commands.c \
	gateway/audit_steps.c \
	gateway/commands.c \
	gateway/clearing_figures.c \
	gateway/gatewayd.c \
	gateway/batch_commands.c \
	gateway/dispute_commands.c \
	gateway/incoming_commands.c \
	gateway/presentment_commands.c \
	gateway/reversal_commands.c \
	gateway/issuer_commands.c \
	gateway/ledger_commands.c \
	gateway/merchant_commands.c \
	gateway/options.c \
	gateway/payment_commands.c \
	gateway/payout_commands.c \
	gateway/payout_json.c \
	gateway/payout_word_commands.c \
	gateway/settlement_commands.c \
	gateway/settlement_json.c \
	gateway/setup.c \
	gateway/stuck.c

# What the operator's program makes of what the daemon tells.
GATEWAY_BOOKS := \
	gateway/clearing/camt.c \
	gateway/clearing/clearing_compare.c \
	gateway/clearing/report.c \
	gateway/clearing/report_items.c \
	gateway/clearing_fetch.c

GATEWAY_CLI := \
	gateway/audit.c \
	gateway/audit_batch.c \
	gateway/audit_clearing.c \
	gateway/audit_close.c \
	gateway/audit_files.c \
	gateway/audit_found.c \
	gateway/audit_merchant.c \
	gateway/audit_payment.c \
	gateway/audit_proof.c \
	gateway/audit_requests.c \
	gateway/audit_totals.c \
	gateway/books_cli.c \
	gateway/cutoff_cli.c \
	gateway/dispute_cli.c \
	gateway/doctor.c \
	gateway/evidence_cli.c \
	gateway/gateway_flags.c \
	gateway/gateway_words.c \
	gateway/incoming_cli.c \
	gateway/payout_cli.c \
	gateway/reconcile_cli.c \
	gateway/report_cli.c

# Of the issuers' files, what gateways read.
GATEWAY_FILES := \
	gateway/issuer/clearing_file.c \
	gateway/issuer/dispute_file.c

ISSUERSIM := \
	gateway/issuer/account_commands.c \
	gateway/issuer/accounts.c \
	gateway/issuer/balances.c \
	gateway/issuer/books_check.c \
	gateway/issuer/cards.c \
	gateway/issuer/clearing.c \
	gateway/issuer/clearing_file.c \
	gateway/issuer/client.c \
	gateway/issuer/commands.c \
	gateway/issuer/disputes.c \
	gateway/issuer/exchange.c \
	gateway/issuer/holds.c \
	gateway/issuer/lists.c \
	gateway/issuer/messages.c \
	gateway/issuer/presentments.c \
	gateway/issuer/schema.c \
	gateway/issuer/script.c \
	gateway/issuer/server.c \
	gateway/issuer/settled.c \
	gateway/issuer/statement.c \
	gateway/issuer/stored.c

# ------------------------------------------------------------------ merchant
MERCHANT_PAYMENT := \
	merchant/payment/agreement.c \
	merchant/payment/agreement_store.c \
	merchant/payment/answer.c \
	merchant/payment/ask.c \
	merchant/payment/authorise.c \
	merchant/payment/authorisation.c \
	merchant/payment/batch.c \
	merchant/payment/batch_hour.c \
	merchant/payment/batch_store.c \
	merchant/payment/cancel.c \
	merchant/payment/dispatch.c \
	merchant/payment/due.c \
	merchant/payment/heard.c \
	merchant/payment/inquiry.c \
	merchant/payment/merchant.c \
	merchant/payment/outcome.c \
	merchant/payment/payment_store.c \
	merchant/payment/pcert.c \
	merchant/payment/pinit.c \
	merchant/payment/port.c \
	merchant/payment/port_agreement.c \
	merchant/payment/preq.c \
	merchant/payment/purchase_state.c \
	merchant/payment/rules.c \
	merchant/payment/settlement.c \
	merchant/payment/settlement_look.c \
	merchant/payment/settlement_store.c \
	merchant/payment/step.c \
	merchant/payment/step_apply.c \
	merchant/payment/together.c \
	merchant/payment/step_outcome.c \
	merchant/payment/step_store.c

MERCHANT_STORE := \
	merchant/batch_export.c \
	merchant/capture_commands.c \
	merchant/commands.c \
	merchant/shop_commands.c \
	merchant/agreement_commands.c \
	merchant/forget_commands.c \
	merchant/owner_commands.c \
	merchant/settlement_commands.c \
	merchant/step_commands.c \
	merchant/store/admin/admin.c \
	merchant/store/admin/kdf.c \
	merchant/store/admin/multipart.c \
	merchant/store/admin/order_act.c \
	merchant/store/admin/order_page.c \
	merchant/store/admin/orders.c \
	merchant/store/admin/owner.c \
	merchant/store/admin/pages.c \
	merchant/store/admin/password.c \
	merchant/store/admin/pictures.c \
	merchant/store/admin/products.c \
	merchant/store/admin/reply.c \
	merchant/store/admin/settlements.c \
	merchant/store/admin/shipments.c \
	merchant/store/admin/signin.c \
	merchant/store/admin/stock_page.c \
	merchant/store/admin/task.c \
	merchant/store/admin/visit.c \
	merchant/store/admin/webhooks.c \
	merchant/store/api/api.c \
	merchant/store/api/authorise.c \
	merchant/store/api/batches.c \
	merchant/store/api/captures.c \
	merchant/store/api/events.c \
	merchant/store/api/idempotency.c \
	merchant/store/api/openapi.c \
	merchant/store/api/orders.c \
	merchant/store/api/problem.c \
	merchant/store/api/reply.c \
	merchant/store/api/settlements.c \
	merchant/store/api/shop.c \
	merchant/store/api/steps.c \
	merchant/store/api/webhooks.c \
	merchant/store/batch_json.c \
	merchant/store/cart.c \
	merchant/store/country.c \
	merchant/store/currency.c \
	merchant/store/category.c \
	merchant/store/event.c \
	merchant/store/name.c \
	merchant/store/order.c \
	merchant/store/order_action.c \
	merchant/store/order_captures.c \
	merchant/store/order_json.c \
	merchant/store/order_list.c \
	merchant/store/order_request.c \
	merchant/store/order_status.c \
	merchant/store/order_step.c \
	merchant/store/order_terms.c \
	merchant/store/order_tell.c \
	merchant/store/part.c \
	merchant/store/part_settle.c \
	merchant/store/part_store.c \
	merchant/store/picture.c \
	merchant/store/product.c \
	merchant/store/product_list.c \
	merchant/store/quote.c \
	merchant/store/scope.c \
	merchant/store/settlement_json.c \
	merchant/store/forget.c \
	merchant/store/ship_to.c \
	merchant/store/shipping.c \
	merchant/store/shop.c \
	merchant/store/shop_acts.c \
	merchant/store/stock.c \
	merchant/store/stock_acts.c \
	merchant/store/stock_level.c \
	merchant/store/tax.c \
	merchant/store/token.c \
	merchant/store/variant.c \
	merchant/store/webhook/delivery.c \
	merchant/store/webhook/network.c \
	merchant/store/webhook/sender.c \
	merchant/store/webhook/sign.c \
	merchant/store/webhook/transfer.c \
	merchant/store/webhook/webhook.c \
	merchant/store/webhook/webhook_action.c \
	merchant/store/webhook/webhook_request.c \
	merchant/store/www/about_page.c \
	merchant/store/www/bill.c \
	merchant/store/www/cart_page.c \
	merchant/store/www/checkout_page.c \
	merchant/store/www/currency_page.c \
	merchant/store/www/form.c \
	merchant/store/www/goods.c \
	merchant/store/www/guard.c \
	merchant/store/www/html.c \
	merchant/store/www/list_page.c \
	merchant/store/www/order_page.c \
	merchant/store/www/order_words.c \
	merchant/store/www/pages.c \
	merchant/store/www/product_page.c \
	merchant/store/www/qr.c \
	merchant/store/www/reply.c \
	merchant/store/www/static.c \
	merchant/store/www/stream.c \
	merchant/store/www/template.c \
	merchant/store/www/texts.c \
	merchant/store/www/visit.c \
	merchant/store/www/write.c \
	merchant/store/www/www.c \
	merchant/webhook_commands.c

MERCHANTD := \
	merchant/merchantd.c \
	merchant/options.c \
	merchant/check.c \
	merchant/purge.c \
	merchant/setup.c \
	merchant/shop_texts.c \
	merchant/shop_tls.c

MERCHANT_CLI := \
	merchant/batch_export_cli.c \
	merchant/capture_cli.c \
	merchant/catalogue_csv.c \
	merchant/catalogue_file.c \
	merchant/doctor.c \
	merchant/merchant_wait.c \
	merchant/merchant_words.c \
	merchant/owner_words.c \
	merchant/settlement_cli.c \
	merchant/shop_cli.c \
	merchant/shop_words.c \
	merchant/webhook_words.c

# ------------------------------------------------------------------ cardholder
WALLET := \
	cardholder/agreement.c \
	cardholder/agreement_store.c \
	cardholder/answer.c \
	cardholder/backup.c \
	cardholder/card.c \
	cardholder/card_store.c \
	cardholder/doctor.c \
	cardholder/enrol_store.c \
	cardholder/offer.c \
	cardholder/purchase_json.c \
	cardholder/purchase_state.c \
	cardholder/question.c \
	cardholder/renewal.c \
	cardholder/rule.c \
	cardholder/rule_store.c \
	cardholder/vault.c \
	cardholder/verify.c \
	cardholder/verify_batch.c \
	cardholder/verify_certificates.c \
	cardholder/verify_words.c \
	cardholder/wallet_store.c

WALLETD := \
	cardholder/cancel.c \
	cardholder/card_import.c \
	cardholder/card_request.c \
	cardholder/commands.c \
	cardholder/confirm.c \
	cardholder/doctor_daemon.c \
	cardholder/enrol.c \
	cardholder/follow.c \
	cardholder/inquiry.c \
	cardholder/lists.c \
	cardholder/look.c \
	cardholder/pay.c \
	cardholder/render.c \
	cardholder/renew.c \
	cardholder/rule_commands.c \
	cardholder/sign.c \
	cardholder/waiter.c

# Without main.c: the unit test links these too.
WALLET_CLI := \
	cardholder/cli/agreement_commands.c \
	cardholder/cli/backup_commands.c \
	cardholder/cli/call.c \
	cardholder/cli/card_commands.c \
	cardholder/cli/card_input.c \
	cardholder/cli/doctor.c \
	cardholder/cli/options.c \
	cardholder/cli/pay_commands.c \
	cardholder/cli/purchase_commands.c \
	cardholder/cli/rule_commands.c \
	cardholder/cli/text.c \
	cardholder/cli/verify_command.c \
	cardholder/cli/view.c \
	cardholder/cli/wallet_commands.c \
	cardholder/cli/words.c

# ------------------------------------------------------------------ the sandbox's explorer
EXPLORER := \
	tests/sandbox/explorer/check.c \
	tests/sandbox/explorer/fields.c \
	tests/sandbox/explorer/keys.c \
	tests/sandbox/explorer/page.c \
	tests/sandbox/explorer/read.c \
	tests/sandbox/explorer/revoked.c \
	tests/sandbox/explorer/rows.c \
	tests/sandbox/explorer/words.c

# ------------------------------------------------------------------ programs: name, and its sources
PROGRAMS := \
	setpay-ca \
	setpay-cad \
	setpay-explorer \
	setpay-gateway \
	setpay-gatewayd \
	setpay-issuersim \
	setpay-merchant \
	setpay-merchantd \
	setpay-wallet \
	setpay-walletd

setpay-ca_MAIN := ca/main.c
setpay-ca_PARTS := $(CA_CLI)
setpay-cad_MAIN := ca/cad_main.c
setpay-cad_PARTS := $(CAD) $(CA_CLI)
setpay-explorer_MAIN := tests/sandbox/explorer/main.c
setpay-explorer_PARTS := $(EXPLORER) merchant/payment/purchase_state.c merchant/store/www/html.c \
                         merchant/store/www/template.c
setpay-gateway_MAIN := gateway/gateway_cli.c
setpay-gateway_PARTS := $(GATEWAY_CLI) $(GATEWAYD) $(GATEWAY_PAYMENT) $(GATEWAY_CLEARING) $(GATEWAY_NETWORK) \
                        $(GATEWAY_BOOKS) $(GATEWAY_FILES)
setpay-gatewayd_MAIN := gateway/gatewayd_main.c
setpay-gatewayd_PARTS := $(GATEWAYD) $(GATEWAY_PAYMENT) $(GATEWAY_CLEARING) $(GATEWAY_NETWORK) $(GATEWAY_FILES)
setpay-issuersim_MAIN := gateway/issuer/main.c
setpay-issuersim_PARTS := $(ISSUERSIM) gateway/network/iso8583.c gateway/network/totals.c
setpay-merchantd_MAIN := merchant/merchantd_main.c
setpay-merchantd_PARTS := $(MERCHANTD) $(MERCHANT_PAYMENT) $(MERCHANT_STORE)
setpay-wallet_MAIN := cardholder/cli/main.c
setpay-wallet_PARTS := $(WALLET_CLI) $(WALLET)
setpay-walletd_MAIN := cardholder/walletd.c
setpay-walletd_PARTS := $(WALLET) $(WALLETD)
setpay-merchant_MAIN := merchant/merchant_cli.c
setpay-merchant_PARTS := $(MERCHANT_CLI) $(MERCHANTD) $(MERCHANT_PAYMENT) $(MERCHANT_STORE)

# Programs that are scripts: copied to build/bin
SCRIPTS := tests/sandbox/setpay-sandbox tests/sandbox/setpay-sandbox-demo

# A shop to try things with: programs find it beside them, in build/share as when installed.
SHOP_SEED := \
	merchant/store/seed/catalogue.json \
	merchant/store/seed/contact.txt \
	merchant/store/seed/privacy.txt \
	merchant/store/seed/returns.txt \
	merchant/store/seed/terms.txt \
	merchant/store/seed/apron.svg \
	merchant/store/seed/beeswax-candle.svg \
	merchant/store/seed/black-tea.svg \
	merchant/store/seed/bowl.svg \
	merchant/store/seed/candle-holder.svg \
	merchant/store/seed/cup.svg \
	merchant/store/seed/cushion.svg \
	merchant/store/seed/cutting-board.svg \
	merchant/store/seed/desk-lamp.svg \
	merchant/store/seed/fountain-pen.svg \
	merchant/store/seed/green-tea.svg \
	merchant/store/seed/herbal-tea.svg \
	merchant/store/seed/jug.svg \
	merchant/store/seed/kitchen-towel.svg \
	merchant/store/seed/lantern.svg \
	merchant/store/seed/linen-bag.svg \
	merchant/store/seed/notebook.svg \
	merchant/store/seed/pen-tray.svg \
	merchant/store/seed/pencils.svg \
	merchant/store/seed/plate.svg \
	merchant/store/seed/tea-strainer.svg \
	merchant/store/seed/tea-tin.svg \
	merchant/store/seed/teapot.svg \
	merchant/store/seed/wool-blanket.svg

# ------------------------------------------------------------------ tests
# Each unit test is one program made of tests/unit/NAME.c, tests/support and all libraries.
UNIT_TESTS := \
	test_agreement \
	test_answers \
	test_batch_file \
	test_books \
	test_bytes \
	test_ca \
	test_ca_authorities \
	test_cart \
	test_catalogue \
	test_chain \
	test_clearing_compare \
	test_clearing_file \
	test_clock \
	test_codec \
	test_config \
	test_control \
	test_crl \
	test_csr \
	test_daemon \
	test_doctor \
	test_dispute \
	test_dual \
	test_envelope \
	test_error \
	test_evidence \
	test_est_form \
	test_forget \
	test_frame \
	test_gateway_agreement \
	test_gateway_auth \
	test_gateway_books \
	test_gateway_operator \
	test_gateway_crash \
	test_gateway_disputes \
	test_gateway_flow \
	test_gateway_full \
	test_gateway_holds \
	test_gateway_issuers \
	test_gateway_life \
	test_gateway_payouts \
	test_gateway_pipeline \
	test_gateway_rows \
	test_gateway_sale \
	test_gateway_share \
	test_gateway_stand_in \
	test_gateway_stand_in_crash \
	test_gateway_state \
	test_gateway_steps \
	test_growth \
	test_guard \
	test_hash \
	test_http \
	test_incoming \
	test_incoming_back \
	test_idempotency \
	test_ids \
	test_iso8583 \
	test_issuer \
	test_issuer_script \
	test_keyfile \
	test_keyring \
	test_ledger \
	test_line \
	test_line_answers \
	test_log \
	test_look_amounts \
	test_loop \
	test_memory \
	test_merchant_agreement \
	test_merchant_api \
	test_merchant_commands \
	test_merchant_due \
	test_merchant_events \
	test_merchant_payment \
	test_merchant_payment_store \
	test_merchant_purge \
	test_merchant_settlement \
	test_merchant_steps \
	test_merchant_words \
	test_metrics \
	test_money \
	test_multipart \
	test_noun \
	test_order \
	test_payment_store \
	test_payout \
	test_places \
	test_owner \
	test_part \
	test_part_settle \
	test_quote \
	test_receipt \
	test_refusals \
	test_reserve \
	test_role \
	test_secret \
	test_sign \
	test_settlement \
	test_settlement_file \
	test_ship_to \
	test_signed \
	test_sql_names \
	test_stand_in \
	test_stock \
	test_stock_level \
	test_store \
	test_store_api_shop \
	test_store_copy \
	test_store_crash \
	test_store_db \
	test_store_erase \
	test_suspense \
	test_suspense_before \
	test_suspense_told \
	test_template \
	test_tls \
	test_under_way \
	test_vectors \
	test_verify \
	test_verify_fraud \
	test_wait \
	test_wallet_cli \
	test_wallet_follow \
	test_wallet_offer \
	test_wallet_receipt \
	test_wallet_renewal \
	test_wallet_rule \
	test_wallet_sign \
	test_wallet_vault \
	test_webhook \
	test_www \
	test_www_pages \
	test_zone

TEST_SUPPORT := \
	tests/support/test_acts.c \
	tests/support/test_agreement.c \
	tests/support/test_answered.c \
	tests/support/test_asking.c \
	tests/support/test_audited.c \
	tests/support/test_buyer.c \
	tests/support/test_cancel.c \
	tests/support/test_crash_walk.c \
	tests/support/test_daemon.c \
	tests/support/test_day.c \
	tests/support/test_executor.c \
	tests/support/test_export.c \
	tests/support/test_false_answer.c \
	tests/support/test_false_gateway.c \
	tests/support/test_fault.c \
	tests/support/test_fault_table.c \
	tests/support/test_gateway.c \
	tests/support/test_gateway_line.c \
	tests/support/test_issuer.c \
	tests/support/test_lied_sale.c \
	tests/support/test_life.c \
	tests/support/test_lies.c \
	tests/support/test_market.c \
	tests/support/test_merchant.c \
	tests/support/test_messages.c \
	tests/support/test_network_keys.c \
	tests/support/test_paid.c \
	tests/support/test_opened.c \
	tests/support/test_paying.c \
	tests/support/test_pki.c \
	tests/support/test_plans.c \
	tests/support/test_proto.c \
	tests/support/test_proxy.c \
	tests/support/test_proxy_message.c \
	tests/support/test_proxy_side.c \
	tests/support/test_purchase.c \
	tests/support/test_race.c \
	tests/support/test_racer.c \
	tests/support/test_refusal.c \
	tests/support/test_sale.c \
	tests/support/test_sandbox.c \
	tests/support/test_settings.c \
	tests/support/test_shop.c \
	tests/support/test_shopper.c \
	tests/support/test_stand_in.c \
	tests/support/test_store.c \
	tests/support/test_store_api.c \
	tests/support/test_till.c \
	tests/support/test_town.c \
	tests/support/test_trade_books.c \
	tests/support/test_trade_disputes.c \
	tests/support/test_trade_fees.c \
	tests/support/test_trade_money.c \
	tests/support/test_trade_plan.c \
	tests/support/test_trade_sale.c \
	tests/support/test_trade_seen.c \
	tests/support/test_trade_trouble.c \
	tests/support/test_wallet.c \
	tests/support/test_world.c \
	tests/vectors/envelopes.c

# Each integration test is a script or program that prints TAP.
INTEGRATION_TESTS := \
	tests/docs/commands.sh \
	tests/docs/man.sh \
	tests/docs/pages.sh \
	tests/integration/help.sh \
	tests/integration/issuer_tls.sh \
	tests/integration/purchase.sh \
	tests/integration/units.sh \
	tests/integration/wallet_cli.sh

# Whole stories, which need their minutes: for `make test`, and not for `make check`.
LONG_TESTS := \
	tests/browser/browser.sh \
	tests/browser/browser_owner.sh \
	tests/integration/agreements.sh \
	tests/integration/authority.sh \
	tests/integration/backup.sh \
	tests/integration/bench.sh \
	tests/integration/ca.sh \
	tests/integration/card_renewal.sh \
	tests/integration/clock_ahead.sh \
	tests/integration/docs.sh \
	tests/integration/doctor.sh \
	tests/integration/drain.sh \
	tests/integration/enrolment.sh \
	tests/integration/est_client.sh \
	tests/integration/explorer.sh \
	tests/integration/merchant_cli.sh \
	tests/integration/monitoring.sh \
	tests/integration/owner.sh \
	tests/integration/parts.sh \
	tests/integration/privacy.sh \
	tests/integration/readiness.sh \
	tests/integration/recovery.sh \
	tests/integration/renewal.sh \
	tests/integration/salts.sh \
	tests/integration/sandbox.sh \
	tests/integration/settlements.sh \
	tests/integration/shop.sh \
	tests/integration/shop_attack.sh \
	tests/integration/shop_currency.sh \
	tests/integration/shop_rush.sh \
	tests/integration/webhooks.sh \
	tests/peers/batches.sh \
	tests/peers/peers.sh \
	tests/peers/store.sh

# Looks at what the others have left.
LAST_TEST := tests/peers/answers.sh

# And those that are C programs, made as unit tests are: tests/integration/NAME.c.
INTEGRATION_PROGRAMS := \
	net_floor \
	wallet_steps

# Those that walk through many cases, parties that lie among them, or wait for what takes its time: for
# `make test`, and not for `make check`, which is to be done within two minutes.
LONG_PROGRAMS := \
	batch_audit \
	batch_close \
	crash_points \
	faults \
	hostile/gatewayd_crl \
	hostile/gatewayd_form \
	hostile/gatewayd_issuer \
	hostile/gatewayd_line \
	hostile/gatewayd_merchant \
	hostile/gatewayd_message \
	hostile/gatewayd_replay \
	hostile/gatewayd_twins \
	hostile/merchantd_agreement \
	hostile/merchantd_cancel \
	hostile/merchantd_certificates \
	hostile/merchantd_form \
	hostile/merchantd_gateway \
	hostile/merchantd_http \
	hostile/merchantd_instruction \
	hostile/merchantd_others \
	hostile/merchantd_pcert \
	hostile/merchantd_repeat \
	hostile/merchantd_reverse \
	hostile/merchantd_steps \
	hostile/merchantd_truth \
	hostile/merchantd_wallet \
	hostile/walletd_agreement \
	hostile/walletd_answer \
	hostile/walletd_channel \
	hostile/walletd_form \
	hostile/walletd_insist \
	hostile/walletd_offer \
	hostile/walletd_others \
	hostile/walletd_receipt \
	hostile/walletd_refusal \
	hostile/walletd_rules \
	merchant_shipments \
	merchant_steps \
	races \
	store_floor \
	trade

# What it costs: setpay-bench (docs/reference/bench.md).
BENCH := \
	tests/bench/authority_load.c \
	tests/bench/bench.c \
	tests/bench/blocks.c \
	tests/bench/floor_crypto.c \
	tests/bench/floor_disk.c \
	tests/bench/floor_tls.c \
	tests/bench/gateway_load.c \
	tests/bench/held.c \
	tests/bench/issuer_load.c \
	tests/bench/machine.c \
	tests/bench/market.c \
	tests/bench/measure.c \
	tests/bench/merchant_load.c \
	tests/bench/nginx.c \
	tests/bench/plot.c \
	tests/bench/purchases.c \
	tests/bench/report.c \
	tests/bench/samples.c \
	tests/bench/shop_load.c \
	tests/bench/shopper.c \
	tests/bench/usage.c \
	tests/bench/wallet_load.c \
	tests/bench/web.c

# Fuzz targets: tests/fuzz/fuzz_NAME.c, one per parser of bytes that others send, and what of the
# parties they are made of.
FUZZ_TARGETS := \
	batches \
	certificate \
	chain \
	clearing \
	config \
	contents \
	crl \
	csr \
	disputes \
	envelope \
	est \
	export \
	form \
	frame \
	http \
	http_answer \
	iso8583 \
	issuer \
	keyfile \
	message \
	multipart \
	order \
	receipt \
	rpc \
	settlements \
	template \
	text

FUZZ_PARTS := \
	$(CA_CLI) \
	ca/est.c \
	$(GATEWAY_CLEARING) \
	$(MERCHANT_STORE) \
	$(WALLET) \
	$(WALLETD) \
	gateway/issuer/cards.c \
	gateway/issuer/clearing_file.c \
	gateway/issuer/dispute_file.c \
	gateway/issuer/messages.c \
	gateway/issuer/stored.c \
	gateway/network/iso8583.c \
	gateway/network/prefixes.c \
	gateway/network/requests.c \
	gateway/network/stored.c \
	gateway/network/totals.c \
	gateway/options.c \
	gateway/payment/vault.c \
	merchant/options.c \
	merchant/payment/purchase_state.c

# What scripts of tests/integration use: programs that are no tests themselves.
INTEGRATION_TOOLS := \
	codec_corpus \
	privacy/guess \
	privacy/open \
	privacy/seek

include tests/rules.mk
