// What Swift cannot import of zlib by itself: the macros that open a stream. One inline function for
// each, named like it. Everything else is called directly.

#ifndef HOTLINE_CZLIB_SHIM_H
#define HOTLINE_CZLIB_SHIM_H

// Without the gz functions the header brings no <sys/types.h> and <unistd.h> along, whose types this
// module would then share with Swift's Glibc module. The functions that are left, and z_stream, are
// the same either way.
#define Z_SOLO
#define ZLIB_CONST
#include <zlib.h>

static inline int CZlib_deflateInit2(z_stream *stream, int level, int windowBits, int memLevel) {
  return deflateInit2(stream, level, Z_DEFLATED, windowBits, memLevel, Z_DEFAULT_STRATEGY);
}

static inline int CZlib_inflateInit2(z_stream *stream, int windowBits) {
  return inflateInit2(stream, windowBits);
}

#endif
