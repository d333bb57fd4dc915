/* QEMU TCG plugin: instructions executed by each call of named functions, the functions they call included.
 *
 *   -plugin count_calls.so,out=FILE,NAME=ADDRESS,...      ADDRESS in hexadecimal, bit 0 (Thumb) ignored
 *
 * On exit FILE holds a line "NAME calls total min max" for each function and "whole 1 N N N" for the program. Only
 * calls that returned are counted.
 *
 * The declarations below are the documented plugin interface (docs/devel/tcg-plugins), written out here so that no
 * QEMU header package is needed; they did not change between interface versions 1 (QEMU 4.2) and 2 (QEMU 9).
 *
 * QEMU runs translation blocks: straight code that ends at a branch. A call's entry and the address it returns to
 * both begin a block, and the address after the calling block is where the call returns to. So counting whole blocks
 * is exact, and no register need be read. A function entered by a tail call returns together with the named function
 * that made it; with none, its call stays open and is dropped when the function is entered again. Functions that call
 * themselves are not supported.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef PLUGIN_VERSION
#define PLUGIN_VERSION 1
#endif
#define EXPORT __attribute__((visibility("default")))
#define NO_REGISTERS 0
#define MOST_FUNCTIONS 32

typedef uint64_t qemu_plugin_id_t;
typedef struct qemu_info_t qemu_info_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void (*translated_fn)(qemu_plugin_id_t, struct qemu_plugin_tb *);
typedef void (*executed_fn)(unsigned int vcpu, void *data);
typedef void (*exit_fn)(qemu_plugin_id_t, void *data);
extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, translated_fn);
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, executed_fn, int flags, void *data);
extern void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, exit_fn, void *data);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
extern uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);
extern size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);

EXPORT int qemu_plugin_version = PLUGIN_VERSION;
EXPORT int qemu_plugin_install(qemu_plugin_id_t, const qemu_info_t *, int, char **);

struct function {
    char name[64];
    uint64_t address, calls, total, min, max;
};
struct block {
    uint64_t address, end, instructions;
    struct function *function; /* that begins here, or NULL */
};
struct call {
    struct function *function;
    uint64_t returns_to, begun_at;
};

static struct function functions[MOST_FUNCTIONS];
static struct call calls[MOST_FUNCTIONS]; /* each function is open at most once */
static int n_functions, depth;
static uint64_t executed, last_end;
static FILE *out;

static void close_call(const struct call *call)
{
    struct function *f = call->function;
    uint64_t n = executed - call->begun_at;
    f->min = f->calls == 0 || n < f->min ? n : f->min;
    f->max = n > f->max ? n : f->max;
    f->total += n;
    f->calls++;
}

static void on_block(unsigned int vcpu, void *data)
{
    const struct block *block = data;
    (void)vcpu;
    for (int i = depth; i-- > 0;) {
        if (calls[i].returns_to == block->address) {
            while (depth > i) {
                close_call(&calls[--depth]);
            }
            break;
        }
    }
    if (block->function != NULL) {
        for (int i = 0; i < depth; i++) {
            if (calls[i].function == block->function) {
                depth = i;
            }
        }
        calls[depth++] = (struct call){block->function, last_end, executed};
    }
    executed += block->instructions;
    last_end = block->end;
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    size_t n = qemu_plugin_tb_n_insns(tb);
    struct qemu_plugin_insn *last = qemu_plugin_tb_get_insn(tb, n - 1);
    struct block *block = calloc(1, sizeof *block); /* lives as long as QEMU may run the block: to the end */
    (void)id;
    if (block == NULL) {
        abort();
    }
    block->address = qemu_plugin_tb_vaddr(tb);
    block->end = qemu_plugin_insn_vaddr(last) + qemu_plugin_insn_size(last);
    block->instructions = n;
    for (int i = 0; i < n_functions; i++) {
        if (functions[i].address == block->address) {
            block->function = &functions[i];
        }
    }
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, NO_REGISTERS, block);
}

static void on_exit_(qemu_plugin_id_t id, void *data)
{
    (void)id;
    (void)data;
    for (int i = 0; i < n_functions; i++) {
        const struct function *f = &functions[i];
        fprintf(out, "%s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", f->name, f->calls, f->total, f->min, f->max);
    }
    fprintf(out, "whole 1 %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", executed, executed, executed);
    fclose(out);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        const char *value = strchr(argv[i], '=');
        size_t length = value == NULL ? 0 : (size_t)(value - argv[i]);
        if (length == 0 || length >= sizeof functions[0].name) {
            return 1;
        }
        if (strncmp(argv[i], "out=", 4) == 0) {
            out = fopen(value + 1, "w");
        } else if (n_functions < MOST_FUNCTIONS) {
            memcpy(functions[n_functions].name, argv[i], length);
            functions[n_functions++].address = strtoull(value + 1, NULL, 16) & ~UINT64_C(1);
        }
    }
    if (out == NULL) {
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_exit_, NULL);
    return 0;
}
