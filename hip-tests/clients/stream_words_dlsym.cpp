// The functions are looked up: nothing in the program's file says that it uses them.
#include <dlfcn.h>
#define CALL(function) ((decltype(&function))dlsym(RTLD_DEFAULT, #function))
#include "stream_words.h"
