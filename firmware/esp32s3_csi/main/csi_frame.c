#include "csi_frame.h"

#include <string.h>

#include "gain.h"

#define NON_HT 0u
#define HT 1u
#define VHT 3u
#define HE 4u
#define BELOW 2u

static uint8_t secondary(unsigned told)
{
    return (uint8_t)(told <= BELOW ? told : 0u);
}

#if CONFIG_SOC_WIFI_HE_SUPPORT /* ESP32-C5, ESP32-C6 */

/* HT-SIG (IEEE 802.11-2020, 19.3.9.4.3) as the radio stores it: HT-SIG1, then the low 8 bits of HT-SIG2. */
#define HT_SIG_40_MHZ (1u << 7)
#define HT_SIG_STBC (3u << 28)

static uint8_t sig_mode(unsigned format)
{
    switch (format) {
    case RX_BB_FORMAT_11B:
    case RX_BB_FORMAT_11G:
        return NON_HT;
    case RX_BB_FORMAT_HT:
        return HT;
    case RX_BB_FORMAT_VHT:
    case 11: /* VHT multi-user, which older headers do not name */
        return VHT;
    default:
        return HE;
    }
}

static void read_format(const wifi_pkt_rx_ctrl_t *rx, EhWireCsi *frame)
{
    frame->sig_mode = sig_mode(rx->cur_bb_format);
    frame->secondary = secondary(rx->second);
    if (frame->sig_mode == HT) {
        frame->bandwidth = (rx->he_siga1 & HT_SIG_40_MHZ) != 0;
        frame->stbc = (rx->he_siga1 & HT_SIG_STBC) != 0;
    }
}

wifi_csi_config_t eh_csi_config(void)
{
    /* No LLTF: its values have 12 bits on one of the chips and 8 on the other, and HT-LTF says more. */
    const wifi_csi_config_t config = {
        .enable = 1,
        .acquire_csi_ht20 = 1,
        .acquire_csi_ht40 = 1,
    };
    return config;
}

#else /* ESP32, ESP32-S2, ESP32-S3, ESP32-C3 */

static void read_format(const wifi_pkt_rx_ctrl_t *rx, EhWireCsi *frame)
{
    frame->sig_mode = (uint8_t)rx->sig_mode;
    frame->secondary = secondary(rx->secondary_channel);
    frame->bandwidth = (uint8_t)rx->cwb;
    frame->stbc = rx->stbc != 0;
}

wifi_csi_config_t eh_csi_config(void)
{
    /* As esp-csi's csi_recv, so that recordings of both can be compared. */
    const wifi_csi_config_t config = {
        .lltf_en = true,
        .htltf_en = true,
        .stbc_htltf2_en = true,
        .ltf_merge_en = true,
        .channel_filter_en = true,
        .manu_scale = false,
        .shift = 0,
    };
    return config;
}

#endif

void eh_csi_frame(const wifi_csi_info_t *info, EhWireCsi *frame)
{
    const wifi_pkt_rx_ctrl_t *rx = &info->rx_ctrl;
    memset(frame, 0, sizeof *frame);
    frame->rssi_dbm = (int8_t)rx->rssi;
    frame->noise_floor_dbm = (int8_t)rx->noise_floor;
    frame->channel = (uint8_t)rx->channel;
    frame->flags = info->first_word_invalid ? EH_CSI_FIRST_WORD_INVALID : 0;
    read_format(rx, frame);
    eh_gain_read(info, frame);
}

uint32_t eh_csi_stamp_us(const wifi_csi_info_t *info)
{
    return (uint32_t)info->rx_ctrl.timestamp;
}
