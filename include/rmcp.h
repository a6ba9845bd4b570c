/* RMCP's C interface. Generated from src/core/header.rs by `cargo xtask generate`.
 *
 * librmcp.so exports these functions when it is preloaded. A program that must also run without it declares them weak
 * and tests their addresses. */

#ifndef RMCP_H
#define RMCP_H

#include <stddef.h>
#include <stdint.h>

/*
 rmcp_status: librmcp.so is loaded, but its core is not (a setuid program, or the file is missing).
 */
#define RMCP_UNAVAILABLE 0

/*
 rmcp_status: every call goes straight to the runtime; `reason` says why.
 */
#define RMCP_INACTIVE 1

/*
 rmcp_status: the calls are hooked that the options in force could change.
 */
#define RMCP_ACTIVE 2

/*
 What RMCP does in this process.
 */
typedef struct {
  /*
   RMCP_INACTIVE or RMCP_ACTIVE.
   */
  int state;
  /*
   How many GPUs HIP sees.
   */
  uint32_t gpus;
  /*
   Their real gfx targets by HIP ordinal, such as "gfx1010, gfx1036". Lives as long as the process.
   */
  const char *targets;
  /*
   Why RMCP is inactive; NULL while it is active. Lives as long as the process.
   */
  const char *reason;
} rmcp_status_t;

/*
 How often the hook of a function ran in this process, and what became of the calls.

 A call runs through its hook where the options in force, those of a section `[library]` counted in, could change it on some
 visible GPU. Any other goes straight to the runtime and is not counted, unless it is watched: with `log = "trace"` every
 call of a hooked function is, with the option `trace` every one that gives, takes or changes memory.
 */
typedef struct {
  /*
   The function. Lives as long as the process.
   */
  const char *name;
  /*
   Calls of the program that ran through the hook and went to the runtime as they were.
   */
  uint64_t forwarded;
  /*
   Calls of the program that were changed.
   */
  uint64_t rewritten;
  /*
   Calls of the runtime itself that ran through the hook, which never changes them.
   */
  uint64_t runtime;
} rmcp_counter_t;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 The version of RMCP, such as "0.1.0"; NULL when its core cannot be loaded.
 */
extern const char *rmcp_version(void);

/*
 Returns RMCP_UNAVAILABLE, RMCP_INACTIVE or RMCP_ACTIVE. Unless it is the first, fills `status`, of which `size`
 is the size in bytes that the caller was compiled with; `status` may be NULL. The first call detects the GPUs.
 */
extern int rmcp_status(rmcp_status_t *status,
                       size_t size);

/*
 Returns the number of functions that have a hook, 0 without a core, and fills at most `capacity` of `counters`, which
 may be NULL if that is 0.
 */
extern size_t rmcp_counters(rmcp_counter_t *counters,
                            size_t capacity);

/*
 Takes RMCP out of every later call of this process: what led to a hook, in librmcp.so and in the runtimes' own tables,
 leads to the real function again. Returns 1, or 0 when there is no core to tell.
 */
extern int rmcp_disable(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* RMCP_H */
