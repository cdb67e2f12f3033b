/*
 * What a database knows of its own life beside its content: when it was last backed up, that it was
 * put back from a backup, or that it goes on elsewhere. The tables are made with schema_version,
 * and are the same for all.
 */
#include "common/store/store.h"

enum setpay_error setpay_store_last_restore(struct setpay_db *db, struct setpay_store_restore *last)
{
    struct setpay_db_rows *rows;
    struct setpay_store_restore found = {0, 0};
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT backup_ms, restored_ms FROM restoration WHERE moved = 0"
                                " ORDER BY number DESC LIMIT 1"));
    if (setpay_db_next(rows)) {
        found.backup_ms = setpay_db_get_int(rows, 0);
        found.restored_ms = setpay_db_get_int(rows, 1);
    }
    SETPAY_TRY(setpay_db_end(rows));
    *last = found;
    return SETPAY_OK;
}

enum setpay_error setpay_store_add_restore(struct setpay_db *db,
                                           const struct setpay_store_restore *restore, bool moved)
{
    SETPAY_TRY(setpay_store_unretire(db));
    SETPAY_TRY(setpay_store_add_backup(db, restore->backup_ms));
    return setpay_db_run(
        db, "INSERT INTO restoration (backup_ms, restored_ms, moved) VALUES ($1, $2, $3)",
        SETPAY_DB_INT(restore->backup_ms), SETPAY_DB_INT(restore->restored_ms),
        SETPAY_DB_INT(moved ? 1 : 0));
}

enum setpay_error setpay_store_retire(struct setpay_db *db, setpay_time_ms now_ms)
{
    SETPAY_TRY(setpay_store_unretire(db));
    return setpay_db_run(db, "INSERT INTO retirement (id, retired_ms) VALUES (1, $1)",
                         SETPAY_DB_INT(now_ms));
}

enum setpay_error setpay_store_unretire(struct setpay_db *db)
{
    return setpay_db_run(db, "DELETE FROM retirement");
}

enum setpay_error setpay_store_retired_ms(struct setpay_db *db, setpay_time_ms *retired_ms)
{
    struct setpay_db_rows *rows;
    setpay_time_ms found = 0;
    SETPAY_TRY(setpay_db_select(db, &rows, "SELECT retired_ms FROM retirement WHERE id = 1"));
    if (setpay_db_next(rows))
        found = setpay_db_get_int(rows, 0);
    SETPAY_TRY(setpay_db_end(rows));
    *retired_ms = found;
    return SETPAY_OK;
}

enum setpay_error setpay_store_add_backup(struct setpay_db *db, setpay_time_ms made_ms)
{
    SETPAY_TRY(setpay_db_run(db, "DELETE FROM last_backup"));
    return setpay_db_run(db, "INSERT INTO last_backup (id, made_ms) VALUES (1, $1)",
                         SETPAY_DB_INT(made_ms));
}

enum setpay_error setpay_store_read_safety(struct setpay_db *db, struct setpay_store_safety *safety)
{
    struct setpay_db_rows *rows;
    struct setpay_store_safety found = {0, 0};
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT (SELECT MIN(applied_ms) FROM schema_version),"
                                " (SELECT made_ms FROM last_backup)"));
    if (setpay_db_next(rows)) {
        found.begun_ms = setpay_db_is_null(rows, 0) ? 0 : setpay_db_get_int(rows, 0);
        found.backup_ms = setpay_db_is_null(rows, 1) ? 0 : setpay_db_get_int(rows, 1);
    }
    SETPAY_TRY(setpay_db_end(rows));
    *safety = found;
    return SETPAY_OK;
}
