#include "bmi270_config.h"

#ifdef EH_BMI270_BYTES /* the file that ../bmi270_bytes.cmake wrote */

static const uint8_t bytes[] = {
#include EH_BMI270_BYTES
};
_Static_assert(sizeof bytes == 8192, "the BMI270's configuration file has 8192 bytes");

const uint8_t *eh_bmi270_config(size_t *n)
{
    *n = sizeof bytes;
    return bytes;
}

#else

const uint8_t *eh_bmi270_config(size_t *n)
{
    *n = 0;
    return NULL;
}

#endif
