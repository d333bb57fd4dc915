/* FreeRTOS and esp_timer in virtual time: threads of which one at a time runs, in a fixed order. */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "esp_system.h"
#include "esp_task_wdt.h"
#include "esp_timer.h"
#include "fake.h"
#include "freertos/task.h"

#define MOST 4
#define NEVER INT64_MAX
#define WATCHDOG_US 8000000

struct fake_task {
    pthread_t thread;
    void (*function)(void *);
    void *context;
    int64_t wake_us;
    uint32_t notified;
    int waits; /* for a notification */
};

struct esp_timer {
    esp_timer_create_args_t args;
    int64_t due_us;
    uint64_t period_us;
};

int64_t fake_now_us;

static struct fake_task tasks[MOST];
static struct esp_timer timers[MOST];
static int n_tasks, n_timers, turn = -1; /* whose turn it is; -1: the script's */
static pthread_mutex_t baton = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t passed = PTHREAD_COND_INITIALIZER;
static int64_t fed_us = -1;
static int critical;

static void fail(const char *what)
{
    fake_trace("panic %s", what);
    exit(3);
}

void fake_trace(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%lld ", (long long)fake_now_us);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

void fake_check(esp_err_t status, const char *what)
{
    if (status != ESP_OK) {
        fail(what);
    }
}

/* Critical sections must be short, hold one lock, and never wait. */
void fake_enter(portMUX_TYPE *mutex)
{
    if (mutex->held++ || critical++) {
        fail("a critical section inside another");
    }
}

void fake_exit(portMUX_TYPE *mutex)
{
    mutex->held--;
    critical--;
}

static void pass_to(int next, int self)
{
    turn = next;
    pthread_cond_broadcast(&passed);
    while (turn != self) {
        pthread_cond_wait(&passed, &baton);
    }
}

static void *begin(void *argument)
{
    struct fake_task *task = argument;
    pthread_mutex_lock(&baton);
    while (turn != (int)(task - tasks)) {
        pthread_cond_wait(&passed, &baton);
    }
    task->function(task->context);
    fail("a task returned");
    return NULL;
}

BaseType_t xTaskCreate(void (*function)(void *), const char *name, uint32_t stack_bytes, void *context,
                       UBaseType_t priority, TaskHandle_t *task)
{
    (void)name;
    (void)stack_bytes;
    (void)priority;
    struct fake_task *made = &tasks[n_tasks];
    made->function = function;
    made->context = context;
    made->wake_us = fake_now_us;
    if (n_tasks == MOST || pthread_create(&made->thread, NULL, begin, made) != 0) {
        return 0;
    }
    n_tasks++;
    *task = made;
    return pdPASS;
}

static void wait_until(int64_t wake_us)
{
    if (critical) {
        fail("waiting in a critical section");
    }
    if (turn < 0) {
        fail("a callback of the driver waits");
    }
    tasks[turn].wake_us = wake_us;
    pass_to(-1, turn);
}

void vTaskDelay(TickType_t ticks)
{
    wait_until(fake_now_us + (int64_t)ticks * 1000);
}

uint32_t ulTaskNotifyTake(BaseType_t clear, TickType_t ticks)
{
    struct fake_task *self = &tasks[turn];
    if (self->notified == 0) {
        self->waits = 1;
        wait_until(ticks == portMAX_DELAY ? NEVER : fake_now_us + (int64_t)ticks * 1000);
        self->waits = 0;
    }
    const uint32_t notified = self->notified;
    self->notified = clear ? 0 : notified - (notified > 0);
    return notified;
}

BaseType_t xTaskNotifyGive(TaskHandle_t task)
{
    task->notified++;
    if (task->waits) {
        task->wake_us = fake_now_us;
    }
    return pdPASS;
}

esp_err_t esp_task_wdt_add(TaskHandle_t task)
{
    (void)task;
    fed_us = fake_now_us;
    return ESP_OK;
}

esp_err_t esp_task_wdt_reset(void)
{
    if (!fake_fails("feed")) {
        fed_us = fake_now_us;
    }
    return ESP_OK;
}

int64_t esp_timer_get_time(void)
{
    return fake_now_us;
}

esp_err_t esp_timer_create(const esp_timer_create_args_t *args, esp_timer_handle_t *timer)
{
    if (n_timers == MOST) {
        return ESP_ERR_NO_MEM;
    }
    *timer = &timers[n_timers++];
    (*timer)->args = *args;
    (*timer)->due_us = NEVER;
    return ESP_OK;
}

esp_err_t esp_timer_start_periodic(esp_timer_handle_t timer, uint64_t period_us)
{
    if (timer->due_us != NEVER) {
        return ESP_ERR_INVALID_STATE;
    }
    timer->period_us = period_us;
    timer->due_us = fake_now_us + (int64_t)period_us;
    return ESP_OK;
}

esp_err_t esp_timer_stop(esp_timer_handle_t timer)
{
    const int ran = timer->due_us != NEVER;
    timer->due_us = NEVER;
    return ran ? ESP_OK : ESP_ERR_INVALID_STATE;
}

static void fire_timers(void)
{
    for (int i = 0; i < n_timers; i++) {
        if (timers[i].due_us <= fake_now_us) {
            timers[i].due_us += (int64_t)timers[i].period_us;
            timers[i].args.callback(timers[i].args.arg);
        }
    }
}

static void run_tasks(void)
{
    for (int i = n_tasks - 1; i >= 0; i--) { /* the last made has the highest priority */
        if (tasks[i].wake_us <= fake_now_us) {
            tasks[i].wake_us = NEVER;
            pass_to(i, -1);
            i = n_tasks;
        }
    }
}

void fake_run_until(int64_t end_us)
{
    for (;;) {
        fire_timers();
        run_tasks();
        if (fed_us >= 0 && fake_now_us - fed_us > WATCHDOG_US) {
            fail("watchdog");
        }
        int64_t next_us = end_us;
        for (int i = 0; i < n_tasks; i++) {
            next_us = tasks[i].wake_us < next_us ? tasks[i].wake_us : next_us;
        }
        for (int i = 0; i < n_timers; i++) {
            next_us = timers[i].due_us < next_us ? timers[i].due_us : next_us;
        }
        if (fake_now_us >= end_us) {
            return;
        }
        fake_now_us = next_us;
    }
}

static void call(void *context)
{
    (*(void (**)(void))context)();
}

void fake_start(void (*function)(void))
{
    static void (*kept)(void);
    TaskHandle_t task;
    pthread_mutex_lock(&baton);
    kept = function;
    if (xTaskCreate(call, "main", 0, &kept, 1, &task) != pdPASS) {
        fail("no main task");
    }
}

void esp_restart(void)
{
    fake_trace("restart");
    fake_nvs_dump();
    fflush(stdout);
    _Exit(0);
}
