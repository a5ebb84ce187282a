/* SPDX-License-Identifier: Apache-2.0 */
#include "worker_pool.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>

#include <cmocka.h>

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static atomic_int worked, begun;

static void work(void *job)
{
    atomic_fetch_add(&begun, 1);
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    atomic_fetch_add(&worked, *(int *)job);
}

static void every_job_is_worked_before_the_pool_is_closed(void **state)
{
    struct worker_pool *pool = NULL;
    const struct worker_pool_config config = {.threads = 2, .capacity = 100, .work = work};
    int one = 1;
    (void)state;
    worked = 0;
    assert_int_equal(worker_pool_open(&config, &pool), ERR_NONE);
    for (int i = 0; i < 100; i++)
        assert_true(worker_pool_submit(pool, &one));
    worker_pool_close(pool);
    assert_int_equal(worked, 100);
}

static void a_full_queue_refuses(void **state)
{
    struct worker_pool *pool = NULL;
    const struct worker_pool_config config = {.threads = 1, .capacity = 2, .work = work};
    int one = 1;
    (void)state;
    worked = begun = 0;
    pthread_mutex_lock(&gate);
    assert_int_equal(worker_pool_open(&config, &pool), ERR_NONE);
    assert_true(worker_pool_submit(pool, &one));
    while (begun == 0) /* the thread holds the first; two may wait */
        (void)sched_yield();
    assert_true(worker_pool_submit(pool, &one));
    assert_true(worker_pool_submit(pool, &one));
    assert_false(worker_pool_submit(pool, &one));
    pthread_mutex_unlock(&gate);
    worker_pool_close(pool);
    assert_int_equal(worked, 3);
}

static void a_pool_that_is_stopped_has_done_its_work_and_refuses_more(void **state)
{
    struct worker_pool *pool = NULL;
    const struct worker_pool_config config = {.threads = 2, .capacity = 10, .work = work};
    int one = 1;
    (void)state;
    worked = 0;
    assert_int_equal(worker_pool_open(&config, &pool), ERR_NONE);
    for (int i = 0; i < 10; i++)
        assert_true(worker_pool_submit(pool, &one));
    worker_pool_stop(pool);
    assert_int_equal(worked, 10);
    assert_false(worker_pool_submit(pool, &one));
    worker_pool_close(pool);
    assert_int_equal(worked, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_job_is_worked_before_the_pool_is_closed),
        cmocka_unit_test(a_full_queue_refuses),
        cmocka_unit_test(a_pool_that_is_stopped_has_done_its_work_and_refuses_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
