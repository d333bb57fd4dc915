/* Which board is this? */
#ifndef EH_LIGHT_H
#define EH_LIGHT_H

/* Blink for three seconds. 0 where no light is configured (EDGEHAR_LIGHT_GPIO). */
int eh_light_blink(void);

#endif
