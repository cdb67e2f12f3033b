/*
 * Leaving: every line that is up signs off, so that its issuer knows that nothing will come, and
 * need not find out by silence. An issuer that does not answer keeps nobody waiting.
 */
#include "gateway/network/pending.h"

#include <event2/event.h>

#define LIMIT_S 1

void setpay_sign_off_stop(struct setpay_network *network)
{
    if (network->sign_off_timer != NULL)
        event_free(network->sign_off_timer);
    network->sign_off_timer = NULL;
    network->signed_off_cb = NULL;
}

static void tell(struct setpay_network *network)
{
    setpay_network_signed_off_cb *done = network->signed_off_cb;
    void *arg = network->signed_off_arg;
    setpay_sign_off_stop(network);
    if (done != NULL)
        done(arg);
}

static void on_limit(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    (void)events;
    tell(arg);
}

void setpay_sign_off_next(struct setpay_network *network)
{
    if (network->signing_off > 0 && --network->signing_off == 0)
        tell(network);
}

void setpay_network_sign_off(struct setpay_network *network, setpay_network_signed_off_cb *done,
                             void *arg)
{
    const struct timeval limit = {.tv_sec = LIMIT_S};
    network->signed_off_cb = done;
    network->signed_off_arg = arg;
    network->sign_off_timer = evtimer_new(network->base, on_limit, network);
    for (size_t i = 0; network->sign_off_timer != NULL && i < network->route_count; i++)
        network->signing_off += setpay_line_sign_off(network->routes[i].line) ? 1 : 0;
    if (network->signing_off == 0)
        tell(network);
    else
        evtimer_add(network->sign_off_timer, &limit);
}
