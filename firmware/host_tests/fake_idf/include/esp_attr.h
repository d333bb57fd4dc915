#ifndef FAKE_ESP_ATTR_H
#define FAKE_ESP_ATTR_H

#define WORD_ALIGNED_ATTR __attribute__((aligned(4)))

#endif
