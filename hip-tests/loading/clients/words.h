/* Calls of any hooked function, with words as its arguments. */
#ifndef WORDS_H
#define WORDS_H

#include <stdlib.h>
#include <string.h>

struct words { long registers[6], stack[4]; };

/* The arguments in the order in which they are given: a number, `p` for an address that can be written to, `e` for an extent
 * of 2 by 3 by 5, which goes by the stack. */
static inline struct words read_words(const char *text) {
    static unsigned char scratch[4096];
    struct words words = { { 0 }, { 0 } };
    int in_registers = 0, on_stack = 0;
    while (*text) {
        if (*text == 'e') {
            words.stack[on_stack++] = 2, words.stack[on_stack++] = 3, words.stack[on_stack++] = 5;
        } else {
            long word = *text == 'p' ? (long)scratch : strtol(text, NULL, 0);
            if (in_registers < 6) words.registers[in_registers++] = word;
            else words.stack[on_stack++] = word;
        }
        text += strcspn(text, ",");
        text += *text == ',';
    }
    return words;
}

static inline long call_words(void *function, const struct words *words) {
    const long *in_registers = words->registers, *stack = words->stack;
    unsigned (*call)(long, long, long, long, long, long, long, long, long, long);
    memcpy(&call, &function, sizeof call);
    return call(in_registers[0], in_registers[1], in_registers[2], in_registers[3], in_registers[4], in_registers[5], stack[0],
                stack[1], stack[2], stack[3]);
}

#endif
