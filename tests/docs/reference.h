/* What the writers of reference pages share. */
#ifndef SETPAY_TESTS_DOCS_REFERENCE_H
#define SETPAY_TESTS_DOCS_REFERENCE_H

/* A paragraph on standard output, broken into lines. */
void setpay_reference_words(const char *words);

/* Whole pages. */
void setpay_reference_messages(void);

/* The table of all steps after a purchase (reference_life.c). */
void setpay_reference_life(void);

#endif
