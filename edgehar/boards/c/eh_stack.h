/* How much stack a call takes, measured: paint the stack below the caller, make the call, look how far down the paint
 * is gone. For one thread and a stack that grows downwards; include it in one file only.
 */
#ifndef EH_STACK_H
#define EH_STACK_H

#include <stddef.h>
#include <stdint.h>

#define EH_STACK_PAINTED 16384u /* deepest use that can be seen; must fit what is left of the stack */
#define EH_STACK_COLOUR 0xA5u

#if defined(__SANITIZE_ADDRESS__)
/* The address sanitizer would object, and makes frames of its own anyway. */
static inline void eh_stack_paint(void)
{
}
static inline size_t eh_stack_used(void)
{
    return 0;
}
#else
static uintptr_t eh_stack_base; /* where the frame of a call made after eh_stack_paint() begins */
static uintptr_t eh_stack_top;  /* first painted byte is below; eh_stack_paint()'s own frame lies between */

static __attribute__((noinline)) uintptr_t eh_stack_here(void)
{
    return (uintptr_t)__builtin_frame_address(0);
}

static __attribute__((noinline)) void eh_stack_paint(void)
{
    eh_stack_base = (uintptr_t)__builtin_frame_address(0);
    eh_stack_top = eh_stack_here() - 64u;
    for (size_t i = 1; i <= EH_STACK_PAINTED; i++) {
        *(volatile uint8_t *)(eh_stack_top - i) = EH_STACK_COLOUR;
    }
}

/* Bytes taken by the calls since eh_stack_paint(), to within 32. A call that stays within the unpainted first bytes counts as them. */
static __attribute__((noinline)) size_t eh_stack_used(void)
{
    uintptr_t lowest = eh_stack_top - EH_STACK_PAINTED;
    while (lowest < eh_stack_top && *(volatile uint8_t *)lowest == EH_STACK_COLOUR) {
        lowest++;
    }
    return (size_t)(eh_stack_base - lowest);
}
#endif

#endif
