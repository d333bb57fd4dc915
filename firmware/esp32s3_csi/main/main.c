/* edgehar's firmware: frames from the radio to the host. docs/firmware.md says what it does. */
#include <stdlib.h>

#include "link.h"
#include "log_line.h"
#include "node.h"
#include "onboard.h"
#include "radio.h"
#include "settings.h"
#include "traffic.h"

void app_main(void)
{
    static EhSettings settings; /* larger than the main task's stack likes */
    uint8_t key[EH_KEY_BYTES];
    eh_settings_load(&settings);
    eh_radio_begin(&settings);
    eh_settings_key(key);
    const EhLink *link = eh_link_begin();
    if (link == NULL || !eh_node_begin(&settings, key, link)) {
        abort(); /* the panic text on the console says where */
    }
    eh_log_redirect(eh_node_log);
    eh_onboard_begin();
    eh_radio_listen();
    eh_traffic_begin(&settings);
    eh_node_serve();
}
