/*
 * Every command of the operator's program: its words, what it needs, its help.
 */
#include "ca/cli.h"

#include <string.h>

const struct setpay_ca_command_row setpay_ca_commands[] = {
    {"init", setpay_ca_command_init, false, false, 0, "--name NAME",
     "make a root in the folder, which must be empty or absent"},
    {"brand add", setpay_ca_command_brand_add, true, true, 1, "ID [--loopback]",
     "make a brand CA and its CCA, MCA and PCA; --loopback: for sandboxes"},
    {"authority renew", setpay_ca_command_authority_renew, true, true, 1, "BRAND.KIND",
     "make who comes after an authority (brand, cca, mca, pca), and issues from now on; what the "
     "one "
     "before has issued stays good until that is revoked"},
    {"issue", setpay_ca_command_issue, true, true, 1,
     "PROFILE --csr FILE [--brand B] [--id ID] [--dns NAME]... [--days N] -o OUT.pem",
     "issue a certificate after a PKCS#10 request"},
    {"renew", setpay_ca_command_renew, true, true, 0,
     "--certificate OLD --csr FILE [--days N] -o OUT.pem",
     "issue to the holder of a certificate for a new key"},
    {"revoke", setpay_ca_command_revoke, true, true, 1,
     "SERIAL | --certificate FILE --reason REASON [--since TIME] [--descendants | --alone]",
     "revoke, and make the new revocation list of the certificate's issuer; for keyCompromise also "
     "what was renewed with it since TIME (YYYY-MM-DD[THH:MM:SSZ]; without it: ever)"},
    {"crl", setpay_ca_command_crl, true, true, 0, "[--brand B] [-o DIR]",
     "make new revocation lists (CRLs) of all CAs, and copy them into DIR"},
    {"bundle", setpay_ca_command_bundle, true, true, 1,
     "merchant|gateway|ca [--brand B] --id ID [--dns NAME]..."
     " [--key-passphrase-file F] --out DIR",
     "make all keys and certificates of a party; with the option its keys are encrypted"},
    {"list", setpay_ca_command_list, true, false, 0, "[--brand B]", "list the certificates"},
    {"show", setpay_ca_command_show, true, false, 1, "SERIAL | --certificate FILE",
     "show a certificate's record"},
    {"chain", setpay_ca_command_chain, true, false, 1, "SERIAL | --certificate FILE [-o OUT.pem]",
     "write a certificate's chain, up to but without the root"},
    {"log show", setpay_ca_command_log_show, true, false, 0, "", "show the log"},
    {"log verify", setpay_ca_command_log_verify, true, false, 0, "[--witness COUNT:HASH]",
     "verify the log, its head, and the database by it"},
    {"doctor", setpay_ca_command_doctor, true, false, 0, "[--config FILE]",
     "look for what needs attention, and say what to do; setpay-cad too where it runs, or by its "
     "configuration FILE; keys too with --passphrase-file"},
    {"backup", setpay_ca_command_backup, true, false, 1, "FILE [--final | --verify]",
     "all of the CA into a new file; --final: it goes on elsewhere; --verify: whether FILE is "
     "whole"},
    {"restore", setpay_ca_command_restore, false, false, 1, "FILE --crls DIR [--force] | --moved",
     "a backup as the CA's folder; DIR: the newest revocation lists; --moved: FILE is final"},
    {"enrolment make", setpay_ca_command_enrolment_make, false, false, 0,
     "--brand B [--card-key F] [--days N] -o FILE",
     "for an issuer: a name and a secret for a card (number and expiry, YYMM, on standard input)"},
    {"enrolment import", setpay_ca_command_enrolment_import, true, false, 1, "FILE",
     "take what an issuer has made: these cards may enrol"},
    {"enrolment list", setpay_ca_command_enrolment_list, true, false, 0, "",
     "who may enrol, cards and parties, with wrong tries, uses, and what was renewed"},
    {"enrolment show", setpay_ca_command_enrolment_show, true, false, 1, "ID",
     "an enrolment, the certificates that it was used for, and their renewals"},
    {"enrolment remove", setpay_ca_command_enrolment_remove, true, false, 1, "ID",
     "its secret is good no more; what was issued stays"},
    {"token add", setpay_ca_command_token_add, true, false, 1,
     "merchant|gateway [--brand B] --id ID [--dns NAME]... [--days N]",
     "a name and a secret by which a party enrols once for each of its certificates"},
};
const size_t setpay_ca_command_count = sizeof setpay_ca_commands / sizeof *setpay_ca_commands;

bool setpay_ca_command_begins(const struct setpay_ca_command_row *row, const char *word)
{
    const char *blank = strchr(row->words, ' ');
    size_t first = blank == NULL ? 0 : (size_t)(blank - row->words);

    return blank != NULL && strlen(word) == first && strncmp(word, row->words, first) == 0;
}

const struct setpay_ca_command_row *setpay_ca_command_find(char **words, int count, int *used)
{
    for (size_t at = 0; at < setpay_ca_command_count; at++) {
        const char *blank = strchr(setpay_ca_commands[at].words, ' ');
        size_t first = blank == NULL ? strlen(setpay_ca_commands[at].words)
                                     : (size_t)(blank - setpay_ca_commands[at].words);

        if (count < 1 || strlen(words[0]) != first ||
            strncmp(words[0], setpay_ca_commands[at].words, first) != 0)
            continue;
        if (blank != NULL && (count < 2 || strcmp(words[1], blank + 1) != 0))
            continue;
        *used = blank == NULL ? 1 : 2;
        return &setpay_ca_commands[at];
    }
    return NULL;
}
