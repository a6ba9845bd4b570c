// The functions are linked.
#define CALL(function) function
#include "stream_words.h"
