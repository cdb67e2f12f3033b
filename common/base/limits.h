/*
 * Every limit of the system stands here: sizes, counts, depths, times. A queue, frame, list or
 * session without a row here is a defect.
 */
#ifndef SETPAY_BASE_LIMITS_H
#define SETPAY_BASE_LIMITS_H

/* The wire (rule A1) */
#define SETPAY_LIMIT_MESSAGE_BYTES (64 * 1024) /* one Message, packed */
#define SETPAY_LIMIT_CONTENT_BYTES (32 * 1024) /* the content of a Signed */
#define SETPAY_LIMIT_UNPACK_BYTES (512 * 1024) /* heap that one unpack may take */
#define SETPAY_LIMIT_ENVELOPE_BYTES (4 * 1024)
#define SETPAY_LIMIT_CERTIFICATE_BYTES (4 * 1024)
#define SETPAY_LIMIT_CERTIFICATES 16        /* beside one message */
#define SETPAY_LIMIT_CRL_BYTES (512 * 1024) /* some 9,800 revocations; in a file, or fetched */
#define SETPAY_LIMIT_CRL_BESIDE_BYTES (32 * 1024) /* one beside a message */
#define SETPAY_LIMIT_CRLS 16
#define SETPAY_LIMIT_THUMBS 64
#define SETPAY_LIMIT_OFFER_ITEMS 200
#define SETPAY_LIMIT_RECEIPTS 64       /* of one purchase, in one answer */
#define SETPAY_LIMIT_BATCH_STEPS 10000 /* of a batch; behind them the next one begins */
#define SETPAY_LIMIT_STEPS 16          /* captures, credits or their reversals in one request */
#define SETPAY_LIMIT_CURRENCIES 192    /* of one batch: as many as there are, and some (money.c) */
#define SETPAY_LIMIT_BATCH_ITEMS 64    /* in one answer */
#define SETPAY_LIMIT_NAME_BYTES 128    /* merchant, item, gateway names */
#define SETPAY_LIMIT_TOKEN_BYTES 64    /* order tokens in links, as text */

/* Time (rules A5, PI, CRLs) */
#define SETPAY_LIMIT_DATE_TOLERANCE_MS (5 * 60 * 1000)
#define SETPAY_LIMIT_INSTRUCTION_LIFE_MS (60 * 60 * 1000)
#define SETPAY_LIMIT_CRL_LIFE_MS (24 * 60 * 60 * 1000)
/* Answers are kept longer than rule A5 could take their request for new. */
#define SETPAY_LIMIT_ANSWER_KEPT_MS (7 * 24 * 60 * 60 * 1000L)

/* Inside a daemon */
#define SETPAY_LIMIT_WORKERS 64
#define SETPAY_LIMIT_CONNECTIONS_PER_WORKER 4096
#define SETPAY_LIMIT_REQUESTS_PER_CONNECTION 256 /* under way at once on one framed connection */
#define SETPAY_LIMIT_REQUESTS_PER_WORKER 4096    /* under way at once on all of them */
#define SETPAY_LIMIT_MAILBOX_JOBS 65536
#define SETPAY_LIMIT_STORE_QUEUE 4096       /* operations waiting for the committer */
#define SETPAY_LIMIT_STORE_GROUP 64         /* operations in one commit */
#define SETPAY_LIMIT_STORE_NOTES 64         /* of one operation to the watchers */
#define SETPAY_LIMIT_STORE_WATCH_NOTES 4096 /* waiting for one watcher; beyond: reread */
#define SETPAY_LIMIT_STORE_STATEMENTS 256   /* prepared and kept, per connection */
#define SETPAY_LIMIT_STORE_PARAMETERS 48    /* of one statement */
#define SETPAY_LIMIT_STORE_ERASE_MS 4000    /* rule M7 grants 5 s from outcome to erasure */
#define SETPAY_LIMIT_DECIDE_AGAIN 8         /* times that a changed version is decided anew */
#define SETPAY_LIMIT_CHAIN_CACHE 4096       /* verified chains kept */
#define SETPAY_LIMIT_HTTP_HEADER_BYTES (16 * 1024)
#define SETPAY_LIMIT_HTTP_BODY_BYTES (256 * 1024)
#define SETPAY_LIMIT_CONTROL_LINE_BYTES (8 * 1024 * 1024) /* a catalogue with its pictures */
#define SETPAY_LIMIT_CONFIG_LINE_BYTES 4096               /* one line of a configuration file */
#define SETPAY_LIMIT_CONFIG_SECTIONS 4096 /* instances of repeated sections: a payee each */

#endif
