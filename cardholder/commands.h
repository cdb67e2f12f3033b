/*
 * The commands of the wallet's socket (configuration key `socket`, see control_server.h for the
 * lines). setpay-wallet speaks nothing else; any other local program of the same user may too.
 *
 * Errors are those of error_table.h by name, with words for the person. Every command refuses
 * arguments that it does not know (USAGE). Commands that need the keys fail with LOCKED while the
 * wallet is locked, and all but wallet.status, wallet.init and doctor with NOT_FOUND before
 * wallet.init. Amounts are {"amount": minor units, "currency": "EUR", "amount_text": "12.50 EUR"}.
 * Times are texts in UTC ("2026-11-23T18:41:11.042Z"). Digests and ids are lower-case hex.
 *
 * CARD      {"id","label","brand","last4","expires","default","status","authority","renewal",
 *           "notice"}
 *           status: "pending" (asked for, no certificate yet), "active", "expired" (certificate);
 *           expires: "2029-12-31", the certificate's end; null while pending. authority: where it
 *           was enrolled or renewed over the network, "https://HOST:PORT", else null. renewal:
 *           "none" (nothing needs to be done), "due" (it ends soon; the wallet sees to it),
 *           "failed" (the last try did), "by_hand", "card_ends" (no longer one can be had),
 *           "ended"; notice: the same as a sentence, else null.
 *
 * OFFER     {"xid","uri","host","merchant","merchant_id","brand","order_id","items":[{"name",
 *           "quantity","unit_amount","unit_amount_text","amount","amount_text","sku"?}],"amount",
 *           "currency","amount_text","terms":"single"|"split"|"instalment"|"recurring","terms_text",
 *           "total": the most that may ever be taken,"expires","gateway","card": CARD}
 *           merchant: the name for people; host: what the certificate names.
 *
 * RULE      {"number","status","brand","merchant_id","card","amount","amount_text","per_day",
 *           "per_day_text","currency","spent","spent_text","until","set","known","words"}
 *           A spending rule (rule.h): number: never used again; status: "in_force", "ended",
 *           "card_removed", "from_backup" (set before the wallet was restored: it agrees to
 * nothing, and is to be set anew); card: the label of the one that it names, or null; spent: by
 *           rules at this merchant in this currency in the last 24 hours; known: the wallet has
 *           bought there; words: the rule as a part of a sentence.
 *
 * PURCHASE  {"xid","status","state","amount","currency","amount_text","merchant","merchant_id",
 *           "host","uri","order_id","brand","card","approval_code","action_code",
 *           "authorised_amount","authorised_amount_text","reversed_amount","captured_amount",
 *           "captured_amount_text","credited_amount","credited_amount_text","partial","receipt",
 *           "receipts","pomd","created","updated","expires","merchant_said","disagreement",
 *           "breach","rule","items"}
 *           status: "authorised", "captured", "declined", "pending", "failed"; state: the words of
 *           purchase_state.h; card: "•••• 4242", null while locked; receipt: true where the
 *           gateway's receipt proves the status; receipts: their number; merchant_said: the
 *           merchant's last signed word ("authorised", "refused", …) or null; disagreement: a
 *           sentence where merchant and gateway's receipt disagree, or the merchant's answer failed
 *           a check, else null; breach: true where the merchant's signed word has turned out
 *           false; partial: less than the amount was authorised. approval_code, action_code: null
 *           where there is none; all that is about the authorisation comes from the receipt alone.
 *           rule: the number of the spending rule that agreed to it, or null: the person did.
 *
 * AGREEMENT {"xid","status","merchant","merchant_id","host","kind","terms_text","currency","each",
 *           "each_text","total","total_text","payments","taken","taken_text","count",
 *           "interval_days","end","last","next","cancel_asked","cancelled","disagreement"}
 *           status: "pending", "active", "ended" (nothing can follow), "cancelling" (asked for, not
 *           confirmed), "cancelled" (by the gateway's receipt), "failed"; each: the most one
 * payment may be; total: the most that all may come to; payments: how many were authorised; taken:
 *           what was, less what was reversed; last, next: when the newest was, and the next may be;
 *           count, interval_days, end: null where the terms have none.
 *
 * wallet.status {}
 *     {"initialised","locked","cards": number of active ones,"open_purchases": number,
 *      "notices":[{"card": label,"notice"}]}: of cards whose certificates end soon, or have.
 * wallet.init {"passphrase"}
 *     {"initialised":true,"locked":false}. INVALID (shorter than 8 bytes), EXISTS.
 * wallet.unlock {"passphrase"}
 *     {"locked":false,"open_purchases"}; also where it is unlocked already, if the passphrase is
 *     right. Starts to inquire after open purchases. PASSPHRASE, told after a delay that grows
 *     from try to try; BUSY while another try is under way.
 * wallet.lock {}
 *     {"locked":true}
 *
 * wallet.backup {"path"}
 *     {"backup","bytes","made","files",…}: a new file (0600), sealed under the wallet's keys, with
 *     all of it. path begins with /. EXISTS, NOT_FOUND (its folder), PERMISSION, STORE_FULL, BUSY
 *     (another one is being made), LOCKED.
 *
 * agreement.list {}
 *     {"agreements":[AGREEMENT]}, newest first: of purchases that permit more than one payment.
 * agreement.show {"xid"}
 *     AGREEMENT. NOT_FOUND.
 * agreement.cancel {"xid"}
 *     AGREEMENT. Signs the cancellation, stores it, and sends it until the gateway's receipt
 *     confirms it; again: the same one. NOT_FOUND, STATE (nothing stands authorised), LOCKED.
 *
 * card.request {"brand","label","pan","expiry","postcode"?,"house_digits"?}
 *     {"card_id","csr": PEM}. Makes a key and a pending card. pan: digits, spaces and hyphens are
 *     dropped; expiry: YYMM. The request holds the card's data for the CA: write it 0600, and
 *     delete it afterwards. INVALID (Luhn, form, card over), EXISTS (label taken), LOCKED.
 * card.import {"certificates": PEM, leaf first or in any order}
 *     CARD. CERT_* and CRL_* (exit 5), NOT_FOUND (no pending card has this key), ACCOUNT (the
 *     certificate is not of this card's number), BRANDS_MIXED, EXISTS (imported before), LOCKED.
 *     The first active card becomes the default.
 * card.enrol {"url","enrolment","secret","brand","label","pan","expiry","postcode"?,
 *             "house_digits"?}
 *     CARD. Both of the above over the network: url is the authority's (https://HOST[:PORT]),
 *     enrolment and secret are what the issuer gave. The card is stored as pending before anything
 *     is sent; the same command with the same label and brand goes on with it and its key, also
 *     where something was mistyped. ENROLMENT (id, secret, number or expiry is wrong, or the secret
 *     is spent; exit 5), PEER_REFUSED (the authority's words), UNREACHABLE, TIMEOUT, CLOSED,
 *     PEER_BUSY (exit 4: again), TLS, HOST, CERT_* and CRL_* of the authority (exit 5); INVALID,
 *     EXISTS (another card has the label), LOCKED as above.
 * card.renew {"id","url"?}
 *     CARD. A new key for a card, and a certificate for it from the card's authority, to which the
 *     present certificate is shown; url is needed where the card came by files, and remembered. The
 *     account stays, and the card pays with its present key until the new one is certified; what
 *     was signed is asked after with the key that signed it. After whatever error the same command
 *     goes on with the same key. CERT_TIME (the certificate has ended), STATE (pending), UNDER_WAY,
 *     PERMISSION (the authority does not renew it: revoked), CERT_CHAIN (another root), USAGE (no
 *     url), and the errors of card.enrol but ENROLMENT.
 * card.list {}
 *     {"cards":[CARD]}
 * card.remove {"id"}
 *     {"removed": id}. STATE where an open purchase was signed with it; NOT_FOUND.
 * card.default {"id"}
 *     CARD. NOT_FOUND; STATE where it is pending.
 * An id of a card is its id, its label, or its last four digits where they are unique; so is the
 * argument card below. Left out: the default card (NOT_FOUND where there is none).
 *
 * offer.show {"uri","card"?}
 *     OFFER; nothing is signed or stored. INVALID (uri), and all errors of the offer's checks:
 *     HOST, OFFER_SUM, EXPIRED, GATEWAY_CERTS, ANSWER_*, CERT_*, CRL_*, SIGNATURE, … (exit 5);
 *     UNREACHABLE, TIMEOUT, CLOSED, PEER_BUSY (exit 4); PEER_REFUSED (exit 1: no such order, it is
 *     paid, the brand is not taken); NOT_AGREED for terms that this wallet does not agree to.
 * pay.prepare {"uri","card"?,"insist"?}
 *     {"offer": OFFER} as offer.show, kept in memory until it expires; or, where this wallet has
 *     paid or is paying this very link, {"purchase": PURCHASE,"already": true} (authorised: nothing
 *     is to be done) or {"purchase": PURCHASE,"resumes": true} (not final: call pay.resume, nothing
 *     new may be signed). LOCKED. Progress: {"stage":"asking"}.
 *     insist: true where the link's purchase was refused by the merchant's signed word and is not
 *     confirmed gives {"offer": OFFER,"insists_on": PURCHASE}: both may be charged, which the
 * person must be told. PAYMENT_OPEN where there is no such word yet; without effect otherwise.
 *     Rule W8: in the 30 days after a restore that may have forgotten a purchase, a link that has
 *     none needs insist too (else FORGOTTEN), and "insists_on" is then {"forgotten_from",
 *     "forgotten_until"}: the link may have been paid between these times.
 *     "rule": RULE where a spending rule agrees to the offer as things are now, so that nobody need
 *     be asked; "rule_refused": {"number","words"} where rules are about this merchant, and none
 *     agrees. Neither for an offer with "insists_on".
 * pay.confirm {"xid","amount","currency","merchant_id","security_code"?,"insist"?,"terms"?,
 *  "rule"?}
 *     What the person has agreed to, of an offer that pay.prepare gave: signs, stores and sends it.
 *     terms: the offer's terms_text as the person has agreed to it; needed (else NOT_AGREED) where
 *     the terms are "instalment" or "recurring": no rule or habit agrees to these (rule W4).
 *     insist: true again for an offer that came with "insists_on"; else PAYMENT_OPEN.
 *     rule: not the person has agreed but the rule of this number. It is asked before anything is
 *     signed, and in the operation that stores the purchase and counts it: NOT_AGREED where it does
 *     not agree (any more), and then nothing is stored and nothing leaves.
 *     Progress: {"stage":"signing"}, {"stage":"stored","xid"}, {"stage":"sent","xid"},
 *     {"stage":"waiting","xid"} (no answer yet; inquiring), {"stage":"answered","xid"}.
 *     PURCHASE; its status is "pending" where there is no gateway receipt in time (the wallet goes
 *     on inquiring by itself). NOT_FOUND (no such offer is prepared), OFFER_CHANGED (not what was
 *     agreed to), EXPIRED, PAYMENT_OPEN, LOCKED; the errors of a failed security check of the
 *     answer (exit 5): the purchase then stays pending, and its xid is in the words.
 * pay.resume {"xid"}
 *     The same waiting for a purchase that was signed before. PURCHASE. Progress as above.
 *
 * purchase.list {"refresh"?}
 *     {"purchases":[PURCHASE],"asked","not_heard","refresh_error"?}, newest first, at most 1,000.
 *     refresh: true asks first the merchants of the newest authorised ones that changed in the last
 *     follow_for, at once and for three seconds; these have "refreshed". asked, not_heard: how many
 *     were asked, and not heard; refresh_error: words, where the wallet is locked.
 * purchase.show {"xid","refresh"?}
 *     PURCHASE with "items". Asks the merchant first (waits a few seconds at most) unless refresh
 *     is false or the wallet is locked; "refreshed": whether it answered, "refresh_error": else why
 *     not (words), or null.
 * purchase.receipt {"xid","refresh"?}
 *     As purchase.show, but asks only where refresh is true, and a receipt may still follow.
 *     PURCHASE and "receipts":[{"kind","amount","currency","amount_text","brand","merchant_id",
 *     "merchant","cardholder","gateway_sign","xid","pomd","date","previous","hash","action_code",
 *     "approval_code","signed": base64 of the very bytes}], "gateway_certificate": base64 of DER,
 *     "offer": base64 of the merchant's signed PInitRes message, "preq": base64 of what was signed,
 *     "certificates": base64 of DER of the CAs above gateway, merchant and cardholder, root first.
 *     "evidence":[{"what","received","message": base64}]: messages of the merchant that failed a
 *     check or disagree, with the words for it. NOT_FOUND also where there is neither yet.
 *
 * rule.add {"merchant_id","amount","per_day","currency","brand"?,"card"?,"until"?}
 *     RULE: single payments of up to amount, and up to per_day in any 24 hours, at the merchant of
 *     that brand and certified id, may be signed without asking. card: with this card only, whose
 *     brand it is; neither card nor brand: the default card's brand, any card of it. INVALID (also
 *     where merchant_id is a host that the wallet has bought at: the words say whose), NOT_FOUND
 *     (card), STATE (there are too many), LOCKED.
 * rule.list {}
 *     {"rules":[RULE]}, by number.
 * rule.remove {"number"}
 *     {"removed": number}. NOT_FOUND.
 *
 * doctor {}
 *     {"ok": all of them,"checks":[{"name","ok","words","what_to_do"}]} with the names database,
 *     permissions, disk, clock, root, crls, locked, cards, renewal, purchases. what_to_do is ""
 * where ok.
 */
#ifndef SETPAY_CARDHOLDER_COMMANDS_H
#define SETPAY_CARDHOLDER_COMMANDS_H

#include "common/net/control_server.h"

/* arg of the handlers is a struct setpay_wallet. */
extern const struct setpay_control_command setpay_wallet_commands[];

#endif
