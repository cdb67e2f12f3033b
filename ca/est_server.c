/*
 * EST over HTTPS (RFC 7030) on one worker: /.well-known/est/LABEL/… and the revocation lists.
 *
 * What always holds: what needs no signature is answered here, from a reading connection of the
 * worker's own; what makes a certificate is handed to the registrar. A refusal says what is wrong
 * with the form of a request; of a secret, a card or an enrolment it says nothing, and always the
 * same (rule C1). Nothing of a request but its sender's address is logged.
 */
#include "ca/cad.h"
#include "ca/enrolment.h"
#include "ca/est.h"
#include "common/base/log.h"
#include "common/crypto/hash.h"
#include "common/net/http_server.h"
#include "common/net/metrics.h"
#include "common/net/remote.h"
#include "common/pki/csr.h"

#include <openssl/objects.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_TYPE "text/plain; charset=utf-8"
#define CRL_TYPE "application/pkix-crl"
#define BODY_MAX (3 * SETPAY_LIMIT_CSR_BYTES)

static const char *const kinds[] = {"enrol", "reenrol", NULL};
static const char *const results[] = {"issued", "refused", NULL};
static struct setpay_metric requests_total = {
    .name = "setpay_ca_requests_total",
    .help = "Requests for certificates, by kind and by how they ended.",
    .type = SETPAY_METRIC_COUNTER,
    .labels = {{"kind", kinds}, {"result", results}},
};

struct setpay_est_worker {
    struct setpay_cad *cad;
    struct setpay_ca *reader; /* shared, for reading */
    struct setpay_worker *daemon_worker;
    struct setpay_executor executor;
    struct setpay_http_server *server;
};

/* One request for a certificate under way. */
struct work {
    struct setpay_est_worker *worker;
    struct setpay_http_request *request;
    struct setpay_registrar_job job;
    const char *label;
    bool again; /* reenrol */
    struct setpay_peer peer;
    char user[SETPAY_EST_USER_SIZE];
    struct setpay_secret password;
    struct setpay_secret csr;
    struct setpay_ca_issued issued;
    struct setpay_problem problem;
    enum setpay_error error;
};

/* ---- answers ---- */

static const struct setpay_http_header base64_headers[] = {
    {"Content-Transfer-Encoding", "base64"},
    {NULL, NULL},
};

static void reply_text(struct setpay_http_request *request, int status,
                       const struct setpay_http_header *headers, const char *words)
{
    char text[sizeof(struct setpay_problem) + 2];

    (void)snprintf(text, sizeof text, "%s\n", words);
    setpay_http_reply(request, status, TEXT_TYPE, headers, setpay_view_string(text));
}

/* The status that an error becomes. */
static int status_of(enum setpay_error error)
{
    switch (error) {
    case SETPAY_E_ENROLMENT:
        return 401;
    case SETPAY_E_CSR:
    case SETPAY_E_NONCE:
    case SETPAY_E_KEY_CERTIFIED:
    case SETPAY_E_EXPIRED:
    case SETPAY_E_INVALID:
        return 400;
    case SETPAY_E_BUSY:
    case SETPAY_E_DRAINING:
    case SETPAY_E_CONFLICT:
        return 503;
    case SETPAY_E_NOMEM:
    case SETPAY_E_IO:
    case SETPAY_E_STORE:
    case SETPAY_E_STORE_FULL:
    case SETPAY_E_CRYPTO:
    case SETPAY_E_RANDOM:
    case SETPAY_E_INTERNAL:
    case SETPAY_E_PASSPHRASE:
        return 500;
    default:
        return 403; /* what is wrong with the connection's certificate */
    }
}

static void refuse(struct setpay_http_request *request, enum setpay_error error,
                   const struct setpay_problem *problem)
{
    static const struct setpay_http_header ask[] = {
        {"WWW-Authenticate", "Basic realm=\"setpay enrolment\", charset=\"UTF-8\""},
        {NULL, NULL},
    };
    static const struct setpay_http_header later[] = {{"Retry-After", "1"}, {NULL, NULL}};
    int status = status_of(error);
    bool explained = status == 400 || status == 403;

    reply_text(request, status,
               status == 401   ? ask
               : status == 503 ? later
                               : NULL,
               explained && problem->text[0] != '\0' ? problem->text : setpay_error_text(error));
}

/* ---- what needs no signature ---- */

static const char *find_label(const struct setpay_http_request *request)
{
    static const char *const labels[] = {SETPAY_CA_LABEL_CARDHOLDER, SETPAY_CA_LABEL_MERCHANT,
                                         SETPAY_CA_LABEL_GATEWAY};
    const char *asked = setpay_http_request_param(request, "label");

    for (size_t at = 0; at < sizeof labels / sizeof *labels; at++)
        if (strcmp(asked, labels[at]) == 0)
            return labels[at];
    return NULL;
}

static void refuse_label(struct setpay_http_request *request)
{
    reply_text(request, 404, NULL, "expected the label cardholder, merchant or gateway");
}

static void on_cacerts(struct setpay_http_request *request, void *arg)
{
    struct setpay_est_worker *worker = arg;
    struct setpay_buffer pem, answer;

    if (find_label(request) == NULL) {
        refuse_label(request);
        return;
    }
    setpay_buffer_init(&pem, SETPAY_CA_PEM_MAX * 8);
    setpay_buffer_init(&answer, SETPAY_CA_PEM_MAX * 8);
    enum setpay_error error = setpay_ca_append_authorities(worker->reader, &pem);
    if (error == SETPAY_OK)
        error = setpay_est_certs(setpay_buffer_view(&pem), SIZE_MAX, &answer);
    if (error == SETPAY_OK)
        setpay_http_reply(request, 200, SETPAY_EST_CACERTS_TYPE, base64_headers,
                          setpay_buffer_view(&answer));
    else
        refuse(request, error, &(struct setpay_problem){{0}});
    setpay_buffer_clear(&pem);
    setpay_buffer_clear(&answer);
}

static void on_csrattrs(struct setpay_http_request *request, void *arg)
{
    static const char *const card[] = {SETPAY_OID_ATTRIBUTE_PAN, SETPAY_OID_ATTRIBUTE_EXPIRY,
                                       SETPAY_OID_ATTRIBUTE_PAN_SECRET, "1.2.840.10045.4.3.2",
                                       NULL};
    static const char *const party[] = {"1.2.840.113549.1.9.14", "1.2.840.10045.4.3.2", NULL};
    struct setpay_est_worker *worker = arg;
    char nonce[SETPAY_CA_NONCE_SIZE];
    const char *label = find_label(request);
    struct setpay_buffer answer;

    if (label == NULL) {
        refuse_label(request);
        return;
    }
    setpay_buffer_init(&answer, 4096);
    enum setpay_error error =
        setpay_ca_nonce_make(&worker->cad->nonce_key, setpay_clock_now_ms(), nonce);
    if (error == SETPAY_OK)
        error = setpay_est_csrattrs(
            nonce, strcmp(label, SETPAY_CA_LABEL_CARDHOLDER) == 0 ? card : party, &answer);
    if (error == SETPAY_OK)
        setpay_http_reply(request, 200, SETPAY_EST_CSRATTRS_TYPE, base64_headers,
                          setpay_buffer_view(&answer));
    else
        refuse(request, error, &(struct setpay_problem){{0}});
    setpay_buffer_clear(&answer);
}

/* The list that was asked for, or all of them as one text. */
struct crl_answer {
    const char *name; /* AUTHORITY.crl; NULL: all, PEM */
    struct setpay_buffer bytes;
    enum setpay_error error;
};

static void take_crl(void *arg, const char *authority, uint64_t number, setpay_time_ms this_update,
                     setpay_time_ms next_update, struct setpay_view der)
{
    struct crl_answer *answer = arg;
    size_t length = strlen(authority);

    (void)number;
    (void)this_update;
    (void)next_update;
    if (answer->name == NULL && answer->error == SETPAY_OK)
        answer->error = setpay_ca_append_pem(&answer->bytes, "X509 CRL", der);
    else if (answer->name != NULL && strncmp(answer->name, authority, length) == 0 &&
             strcmp(answer->name + length, ".crl") == 0)
        answer->error = setpay_buffer_set(&answer->bytes, der);
}

static void reply_crls(struct setpay_http_request *request, struct setpay_est_worker *worker,
                       const char *name)
{
    struct crl_answer answer = {.name = name, .error = SETPAY_OK};

    setpay_buffer_init(&answer.bytes, SETPAY_CA_LISTS_PEM_MAX);
    enum setpay_error error = setpay_ca_list_crls(worker->reader, NULL, take_crl, &answer);
    if (error == SETPAY_OK)
        error = answer.error;
    if (error != SETPAY_OK)
        refuse(request, error, &(struct setpay_problem){{0}});
    else if (answer.bytes.size == 0)
        reply_text(request, 404, NULL, "there is no such revocation list");
    else
        setpay_http_reply(request, 200, name == NULL ? "application/x-pem-file" : CRL_TYPE, NULL,
                          setpay_buffer_view(&answer.bytes));
    setpay_buffer_clear(&answer.bytes);
}

static void on_crl(struct setpay_http_request *request, void *arg)
{
    reply_crls(request, arg, setpay_http_request_param(request, "name"));
}

static void on_crls(struct setpay_http_request *request, void *arg)
{
    reply_crls(request, arg, NULL);
}

/* ---- certificates ---- */

static void free_work(struct work *work)
{
    setpay_secret_clear(&work->password);
    setpay_secret_clear(&work->csr);
    setpay_ca_issued_clear(&work->issued);
    free(work);
}

struct holder {
    struct setpay_buffer der;
    enum setpay_error error;
};

static void take_holder(void *arg, const struct setpay_ca_record *record)
{
    struct holder *holder = arg;

    holder->error = setpay_buffer_set(&holder->der, record->der);
}

/* On the registrar's thread. */
static enum setpay_error reenrol(struct setpay_ca *ca, struct work *work,
                                 const struct setpay_ca_asked *asked)
{
    struct holder holder = {.error = SETPAY_E_NOT_FOUND};

    setpay_buffer_init(&holder.der, SETPAY_LIMIT_CERTIFICATE_BYTES);
    enum setpay_error error =
        setpay_ca_by_thumbprint(ca, &work->peer.thumbprint, take_holder, &holder);
    if (error == SETPAY_OK)
        error = holder.error;
    if (error == SETPAY_OK)
        error = setpay_ca_reenrol(ca, asked, setpay_buffer_view(&holder.der), setpay_clock_now_ms(),
                                  &work->issued, &work->problem);
    setpay_buffer_clear(&holder.der);
    return error;
}

static void on_work(struct setpay_ca *ca, void *arg)
{
    struct work *work = arg;
    const struct setpay_cad *cad = work->worker->cad;
    const struct setpay_ca_asked asked = {
        .label = work->label,
        .user = work->user[0] == '\0' ? NULL : work->user,
        .password = &work->password,
        .request = setpay_secret_view(&work->csr),
        .nonce_key = &cad->nonce_key,
        .card_key = cad->card_key.size == 0 ? NULL : &cad->card_key,
        .card_days = cad->card_days,
    };

    if (work->again)
        work->error = reenrol(ca, work, &asked);
    else
        work->error =
            setpay_ca_enrol(ca, &asked, setpay_clock_now_ms(), &work->issued, &work->problem);
}

/* Back on the worker's loop. */
static void on_done(void *arg)
{
    struct work *work = arg;
    struct setpay_buffer answer;
    const char *remote = setpay_http_request_remote(work->request);

    setpay_buffer_init(&answer, 2 * SETPAY_CA_PEM_MAX);
    /* RFC 7030, 4.2.3: only the certificate that was issued; those above it are in /cacerts. */
    if (work->error == SETPAY_OK)
        work->error = setpay_est_certs(setpay_buffer_view(&work->issued.chain), 1, &answer);
    setpay_metric_add(&requests_total, work->again, work->error != SETPAY_OK, 1);
    if (work->error == SETPAY_OK) {
        setpay_log(SETPAY_LOG_INFO, "est.issued", setpay_field_text("label", work->label),
                   setpay_field_text("serial", work->issued.serial),
                   setpay_field_text("remote", remote));
        setpay_http_reply(work->request, 200, SETPAY_EST_CERTS_TYPE, base64_headers,
                          setpay_buffer_view(&answer));
    } else {
        setpay_log_error(work->error, "est.refused", setpay_field_text("label", work->label),
                         setpay_field_text("remote", remote));
        refuse(work->request, work->error, &work->problem);
    }
    setpay_buffer_clear(&answer);
    free_work(work);
}

/* Form, connection and credentials; what only the registrar can know comes later. */
static enum setpay_error read_work(struct work *work)
{
    struct setpay_http_request *request = work->request;
    enum setpay_error error = setpay_http_request_peer(request, &work->peer);

    if (error != SETPAY_OK)
        return error;
    if (work->again && !work->peer.is_certified)
        return setpay_problem_set(&work->problem, SETPAY_E_CERT_MISSING,
                                  "a renewal needs the present certificate as the client's of the "
                                  "TLS connection");
    error = setpay_est_request(setpay_http_request_body(request), &work->csr);
    if (error == SETPAY_E_CSR)
        return setpay_problem_set(&work->problem, error,
                                  "expected a PKCS#10 request, in base64 or DER");
    if (error != SETPAY_OK || work->again)
        return error;
    error = setpay_est_basic(setpay_http_request_header(request, "Authorization"), work->user,
                             &work->password);
    return error == SETPAY_E_NOT_FOUND || error == SETPAY_E_INVALID ? SETPAY_E_ENROLMENT : error;
}

/* Whose the work is, so that strangers are no burden to those who have a certificate, nor one of
 * them to the others. */
static enum setpay_error choose_place(struct work *work)
{
    char client[SETPAY_REMOTE_SIZE];
    const char *remote = setpay_http_request_remote(work->request);

    if (work->peer.is_certified) {
        work->job.place = SETPAY_PLACE_HOLDER;
        work->job.who = work->peer.thumbprint;
        return SETPAY_OK;
    }
    work->job.place = SETPAY_PLACE_STRANGER;
    if (setpay_remote_client(remote, client) == SETPAY_OK)
        remote = client;
    return setpay_sha256(setpay_view_string(remote), &work->job.who);
}

static void begin(struct setpay_http_request *request, struct setpay_est_worker *worker, bool again)
{
    const char *label = find_label(request);

    if (label == NULL) {
        refuse_label(request);
        return;
    }
    if (!setpay_http_request_has_type(request, SETPAY_EST_REQUEST_TYPE)) {
        reply_text(request, 415, NULL, "expected Content-Type: " SETPAY_EST_REQUEST_TYPE);
        return;
    }
    struct work *work = calloc(1, sizeof *work);
    if (work == NULL) {
        refuse(request, SETPAY_E_NOMEM, &(struct setpay_problem){{0}});
        return;
    }
    setpay_ca_issued_init(&work->issued);
    work->worker = worker;
    work->request = request;
    work->label = label;
    work->again = again;
    work->job = (struct setpay_registrar_job){
        .work_cb = on_work, .done_cb = on_done, .arg = work, .executor = worker->executor};
    enum setpay_error error = read_work(work);
    if (error == SETPAY_OK)
        error = choose_place(work);
    if (error == SETPAY_OK) /* once it is taken, work is the registrar's */
        error = setpay_registrar_post(worker->cad->registrar, &work->job);
    if (error != SETPAY_OK) {
        work->error = error;
        on_done(work);
    }
}

static void on_simpleenroll(struct setpay_http_request *request, void *arg)
{
    begin(request, arg, false);
}

static void on_simplereenroll(struct setpay_http_request *request, void *arg)
{
    begin(request, arg, true);
}

static const struct setpay_http_route routes[] = {
    {SETPAY_HTTP_GET, "/.well-known/est/{label}/cacerts", on_cacerts},
    {SETPAY_HTTP_GET, "/.well-known/est/{label}/csrattrs", on_csrattrs},
    {SETPAY_HTTP_POST, "/.well-known/est/{label}/simpleenroll", on_simpleenroll},
    {SETPAY_HTTP_POST, "/.well-known/est/{label}/simplereenroll", on_simplereenroll},
    {SETPAY_HTTP_GET, "/crls", on_crls},
    {SETPAY_HTTP_GET, "/crls/{name}", on_crl},
    {SETPAY_HTTP_GET, NULL, NULL},
};

/* ---- the worker ---- */

enum setpay_error setpay_est_worker_new(struct setpay_cad *cad, struct setpay_worker *daemon_worker,
                                        struct setpay_est_worker **worker)
{
    struct setpay_est_worker *made = calloc(1, sizeof *made);

    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->cad = cad;
    made->daemon_worker = daemon_worker;
    made->executor = setpay_loop_executor(daemon_worker->loop);
    const struct setpay_http_server_options options = {
        .name = "est",
        .loop = daemon_worker->loop,
        .routes = routes,
        .arg = made,
        .tls = cad->tls,
        .max_body_bytes = BODY_MAX,
    };
    enum setpay_error error = setpay_metric_register(&requests_total);
    if (error == SETPAY_OK)
        error = setpay_ca_share(cad->ca, &made->reader);
    if (error == SETPAY_OK)
        error = setpay_http_server_new(&options, &made->server);
    if (error == SETPAY_OK)
        error = setpay_http_server_listen(made->server,
                                          setpay_worker_take_listener(daemon_worker, "est"));
    if (error != SETPAY_OK) {
        setpay_est_worker_free(made);
        return error;
    }
    *worker = made;
    return SETPAY_OK;
}

static void on_drained(void *arg)
{
    struct setpay_est_worker *worker = arg;

    setpay_worker_drained(worker->daemon_worker);
}

void setpay_est_worker_drain(struct setpay_est_worker *worker)
{
    setpay_http_server_drain(worker->server, on_drained, worker);
}

void setpay_est_worker_free(struct setpay_est_worker *worker)
{
    if (worker == NULL)
        return;
    setpay_http_server_free(worker->server);
    setpay_ca_close(worker->reader);
    free(worker);
}
