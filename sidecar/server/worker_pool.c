/* SPDX-License-Identifier: Apache-2.0 */
#include "worker_pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WORKER_NICENESS = 10 };

struct worker_pool {
    void (*work)(void *job);
    pthread_mutex_t lock;
    pthread_cond_t has_job;
    bool is_closing;
    size_t thread_count;
    pthread_t *threads;
    size_t capacity, first, count;
    void **jobs; /* ring of `capacity` */
};

static void *run(void *argument)
{
    struct worker_pool *pool = argument;
    /* Linux: a thread's own niceness, by its thread id. Refusal is harmless. */
    (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), WORKER_NICENESS);
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (pool->count == 0 && !pool->is_closing)
            pthread_cond_wait(&pool->has_job, &pool->lock);
        if (pool->count == 0)
            break;
        void *job = pool->jobs[pool->first];
        pool->first = (pool->first + 1) % pool->capacity;
        pool->count--;
        pthread_mutex_unlock(&pool->lock);
        pool->work(job);
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

enum err worker_pool_open(const struct worker_pool_config *config, struct worker_pool **out)
{
    struct worker_pool *pool = calloc(1, sizeof(*pool));
    if (pool == NULL)
        return ERR_NO_MEMORY;
    pool->work = config->work;
    pool->capacity = config->capacity;
    (void)pthread_mutex_init(&pool->lock, NULL);
    (void)pthread_cond_init(&pool->has_job, NULL);
    pool->threads = calloc(config->threads, sizeof(*pool->threads));
    pool->jobs = calloc(config->capacity, sizeof(*pool->jobs));
    enum err result = pool->threads != NULL && pool->jobs != NULL ? ERR_NONE : ERR_NO_MEMORY;
    for (size_t i = 0; result == ERR_NONE && i < config->threads; i++) {
        if (pthread_create(&pool->threads[i], NULL, run, pool) != 0)
            result = ERR_IO;
        else
            pool->thread_count++;
    }
    if (result != ERR_NONE) {
        worker_pool_close(pool);
        return result;
    }
    *out = pool;
    return ERR_NONE;
}

void worker_pool_stop(struct worker_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->is_closing = true;
    pthread_cond_broadcast(&pool->has_job);
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 0; i < pool->thread_count; i++)
        (void)pthread_join(pool->threads[i], NULL);
    pool->thread_count = 0;
}

void worker_pool_close(struct worker_pool *pool)
{
    if (pool == NULL)
        return;
    worker_pool_stop(pool);
    (void)pthread_mutex_destroy(&pool->lock);
    (void)pthread_cond_destroy(&pool->has_job);
    free(pool->threads);
    free(pool->jobs);
    free(pool);
}

bool worker_pool_submit(struct worker_pool *pool, void *job)
{
    pthread_mutex_lock(&pool->lock);
    bool has_room = pool->count < pool->capacity && !pool->is_closing;
    if (has_room) {
        pool->jobs[(pool->first + pool->count) % pool->capacity] = job;
        pool->count++;
        pthread_cond_signal(&pool->has_job);
    }
    pthread_mutex_unlock(&pool->lock);
    return has_room;
}
