#include "onboard.h"

#if EH_ONBOARD

#include <string.h>

#include "esp_timer.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "sdkconfig.h"

#include "eh_csi_input.h"
#include "eh_infer.h"
#include "node.h"

#define PRIORITY 1 /* as the link task: the two take turns at every tick */
#define TELL_MS 1000u
#define SENDER_GONE_US 10000000 /* after such a silence of the model's sender another may take its place */

static portMUX_TYPE mutex = portMUX_INITIALIZER_UNLOCKED; /* of what the driver's task and the model's share: */
static uint8_t bytes[CONFIG_EDGEHAR_MODEL_QUEUE_BYTES];
static EhRing queue; /* EhWireCsi, then the values */
static EhWireModel state = {.model = EH_INPUT_MODEL, .layout = EH_INPUT_LAYOUT};
static uint32_t heard_us; /* the model's sender */
static int has_sender;

static EhInfer infer; /* the model's task alone */
static TaskHandle_t task;

/* Whether the frame is of the model's sender: the first that was heard. */
static int of_sender(const EhWireCsi *frame)
{
    const int32_t silent_us = (int32_t)(frame->t_us - heard_us);
    if (!has_sender || silent_us > SENDER_GONE_US || silent_us < -SENDER_GONE_US) {
        has_sender = 1;
        state.mac_hash = frame->mac_hash;
    }
    if (frame->mac_hash != state.mac_hash) {
        return 0;
    }
    heard_us = frame->t_us;
    return 1;
}

void eh_onboard_take(const EhWireCsi *frame, const uint8_t *values, size_t n_bytes)
{
    int taken = 0;
    if (task == NULL) {
        return;
    }
    portENTER_CRITICAL(&mutex);
    if (frame->layout == EH_INPUT_LAYOUT && of_sender(frame)) {
        taken = eh_ring_push(&queue, (const uint8_t *)frame, sizeof *frame, values, n_bytes);
    } else {
        state.unfit++;
    }
    portEXIT_CRITICAL(&mutex);
    if (taken) {
        xTaskNotifyGive(task);
    }
}

static size_t pop(uint8_t *record, size_t room)
{
    portENTER_CRITICAL(&mutex);
    const size_t n = eh_ring_pop(&queue, record, room);
    portEXIT_CRITICAL(&mutex);
    return n;
}

/* Once a second. */
static void tell(void)
{
    static int64_t due_us;
    const int64_t now_us = esp_timer_get_time();
    if (now_us < due_us) {
        return;
    }
    due_us = now_us + 1000 * (int64_t)TELL_MS;
    portENTER_CRITICAL(&mutex);
    EhWireModel told = state;
    told.skipped = queue.dropped;
    portEXIT_CRITICAL(&mutex);
    told.t_us = (uint64_t)now_us;
    eh_board_model(eh_node(), &told);
}

static void judge(const uint8_t *record, size_t n)
{
    EhWireCsi frame;
    memcpy(&frame, record, sizeof frame);
    const int decisions = eh_infer_csi(&infer, eh_node(), &frame, record + sizeof frame, n - sizeof frame);
    portENTER_CRITICAL(&mutex);
    state.frames++;
    state.decisions += (uint32_t)decisions;
    portEXIT_CRITICAL(&mutex);
}

static void serve(void *context)
{
    static uint8_t record[sizeof(EhWireCsi) + EH_MAX_PAYLOAD];
    (void)context;
    for (;;) {
        size_t n;
        tell();
        while ((n = pop(record, sizeof record)) > 0) {
            judge(record, n);
            tell();
            vTaskDelay(1); /* a model slower than its frames must not starve the idle task, which feeds a watchdog */
        }
        (void)ulTaskNotifyTake(pdTRUE, pdMS_TO_TICKS(TELL_MS));
    }
}

void eh_onboard_begin(void)
{
    TaskHandle_t made = NULL;
    eh_ring_init(&queue, bytes, sizeof bytes);
    eh_infer_init(&infer);
    if (xTaskCreate(serve, "model", CONFIG_EDGEHAR_MODEL_STACK_BYTES, NULL, PRIORITY, &made) != pdPASS) {
        eh_node_log(1, "the model does not run: no memory for its stack");
        return;
    }
    task = made;
}

#else

void eh_onboard_begin(void)
{
}

void eh_onboard_take(const EhWireCsi *frame, const uint8_t *values, size_t n_bytes)
{
    (void)frame;
    (void)values;
    (void)n_bytes;
}

#endif
