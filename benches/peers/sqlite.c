/* SQLite's side of the comparison: one connection a thread, WAL, synchronous=FULL, prepared
   statements. sqlite <file> <seconds> <rows> <what> <clients>: prints one line of JSON. */
#include <pthread.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OWNERS 1000
#define NEWEST 20

static const char *path;
static double seconds;
static long rows;
static char payload[601];
static long next_row;
static enum { WRITE, READ, SCAN } what;

struct client {
    pthread_t thread;
    long number, count, room;
    float *took;
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void must(sqlite3 *db, int code) {
    if (code != SQLITE_OK && code != SQLITE_DONE && code != SQLITE_ROW) {
        fprintf(stderr, "sqlite: %s\n", sqlite3_errmsg(db));
        exit(1);
    }
}

static sqlite3 *open_db(void) {
    sqlite3 *db;
    must(NULL, sqlite3_open(path, &db));
    sqlite3_busy_timeout(db, 600000);
    must(db, sqlite3_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                              "PRAGMA cache_size=-262144", NULL, NULL, NULL));
    return db;
}

/* 16 bytes in time order. */
static void make_key(long n, unsigned char *key) {
    uint64_t low = (uint64_t)n * 0x9E3779B97F4A7C15u;
    for (int i = 0; i < 8; i++) {
        key[i] = (uint64_t)n >> (56 - 8 * i);
        key[8 + i] = low >> (56 - 8 * i);
    }
}

static void insert(sqlite3 *db, sqlite3_stmt *s, long n) {
    unsigned char key[16];
    make_key(n, key);
    sqlite3_bind_blob(s, 1, key, 16, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, n * 7919 % OWNERS);
    sqlite3_bind_text(s, 3, payload, 600, SQLITE_STATIC);
    must(db, sqlite3_step(s));
    sqlite3_reset(s);
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql) {
    sqlite3_stmt *s;
    must(db, sqlite3_prepare_v2(db, sql, -1, &s, NULL));
    return s;
}

static const char *INSERT = "INSERT INTO records (id, owner, payload) VALUES (?, ?, ?)";

static void *run(void *argument) {
    struct client *c = argument;
    sqlite3 *db = open_db();
    const char *sql[] = {INSERT, "SELECT owner, payload FROM records WHERE id = ?",
                         "SELECT id, owner, payload FROM records WHERE owner = ? "
                         "ORDER BY id DESC LIMIT 20"};
    sqlite3_stmt *s = prepare(db, sql[what]);
    long at = c->number * 7001;
    double until = now() + seconds;
    for (double begun = now(); begun < until;) {
        if (what == WRITE) {
            insert(db, s, __atomic_fetch_add(&next_row, 1, __ATOMIC_SEQ_CST));
        } else {
            long found = 0;
            unsigned char key[16];
            at += 7919;
            make_key(at % rows, key);
            if (what == READ)
                sqlite3_bind_blob(s, 1, key, 16, SQLITE_STATIC);
            else
                sqlite3_bind_int64(s, 1, at % OWNERS);
            int code;
            while ((code = sqlite3_step(s)) == SQLITE_ROW)
                found += sqlite3_column_bytes(s, what == READ ? 1 : 2) == 600;
            must(db, code);
            sqlite3_reset(s);
            if (found != (what == READ ? 1 : NEWEST)) {
                fprintf(stderr, "sqlite: %ld rows found\n", found);
                exit(1);
            }
        }
        double ended = now();
        if (c->count == c->room) c->took = realloc(c->took, (c->room = c->room * 2 + 1024) * 4);
        c->took[c->count++] = (ended - begun) * 1e6;
        begun = ended;
    }
    sqlite3_finalize(s);
    sqlite3_close(db);
    return NULL;
}

static int compare(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

int main(int count, char **words) {
    if (count != 6) return 2;
    path = words[1], seconds = atof(words[2]), rows = atol(words[3]);
    memset(payload, 'x', 600);
    if (!strcmp(words[4], "load")) {
        sqlite3 *db = open_db();
        must(db, sqlite3_exec(db, "CREATE TABLE records (id BLOB PRIMARY KEY, owner INTEGER NOT NULL,"
                                  "payload TEXT NOT NULL) WITHOUT ROWID;"
                                  "CREATE INDEX by_owner ON records (owner, id); BEGIN",
                              NULL, NULL, NULL));
        sqlite3_stmt *s = prepare(db, INSERT);
        for (long n = 0; n < rows; n++) insert(db, s, n);
        must(db, sqlite3_exec(db, "COMMIT; ANALYZE; PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL));
        sqlite3_finalize(s);
        return sqlite3_close(db);
    }
    what = !strcmp(words[4], "write") ? WRITE : !strcmp(words[4], "read") ? READ : SCAN;
    long clients = atol(words[5]), total = 0;
    struct client *all = calloc(clients, sizeof *all);
    sqlite3 *db = open_db();
    sqlite3_stmt *s = prepare(db, "SELECT count(*) FROM records");
    must(db, sqlite3_step(s));
    next_row = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    double begun = now();
    for (long i = 0; i < clients; i++) {
        all[i].number = i;
        pthread_create(&all[i].thread, NULL, run, &all[i]);
    }
    for (long i = 0; i < clients; i++) pthread_join(all[i].thread, NULL), total += all[i].count;
    double took = now() - begun;
    float *every = malloc(total * 4 + 4);
    long at = 0;
    for (long i = 0; i < clients; i++)
        memcpy(every + at, all[i].took, all[i].count * 4), at += all[i].count;
    qsort(every, total, 4, compare);
    printf("{\"per_second\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f}\n", total / took,
           every[total / 2], every[(long)(total * 0.99)]);
    return sqlite3_close(db);
}
