/*
 * The terminal, under the names of this program.
 */
#ifndef SETPAY_CARDHOLDER_CLI_TERMINAL_H
#define SETPAY_CARDHOLDER_CLI_TERMINAL_H

#include "common/base/terminal.h"

#define setpay_cli_terminal_there setpay_terminal_there
#define setpay_cli_terminal_open setpay_terminal_open
#define setpay_cli_ask_secret setpay_terminal_ask_secret
#define setpay_cli_read_secret setpay_terminal_read_secret
#define setpay_cli_ask_yes setpay_terminal_ask_yes
#define setpay_cli_progress setpay_terminal_progress
#define setpay_cli_wants_colour setpay_terminal_wants_colour

#endif
