/* Gzip streams (RFC 1952) by way of zlib, whose own entry points are macros that Swift cannot call. */
#ifndef SX_GZIP_H
#define SX_GZIP_H

#include <stddef.h>

/* The most bytes that so many become. */
size_t sx_gzip_bound(size_t count);

/* Compresses; `out` has room for sx_gzip_bound(count) bytes. Gives how many were written, 0 when there is no memory. */
size_t sx_gzip(const unsigned char *bytes, size_t count, unsigned char *out);

typedef struct sx_gunzip sx_gunzip;

enum sx_gunzip_status {
  SX_GUNZIP_MORE,      /* there may be more to come */
  SX_GUNZIP_DONE,      /* the stream, and all that follow it, have come to their ends */
  SX_GUNZIP_TRUNCATED, /* the bytes ended first */
  SX_GUNZIP_CORRUPT    /* this is no gzip stream */
};

/* Begins to unpack bytes that stay where they are; NULL when there is no memory. */
sx_gunzip *sx_gunzip_begin(const unsigned char *bytes, size_t count);

/* Unpacks up to `room` bytes to `out`, and says in `made` how many. */
enum sx_gunzip_status sx_gunzip_next(sx_gunzip *stream, unsigned char *out, size_t room, size_t *made);

void sx_gunzip_end(sx_gunzip *stream);

#endif
