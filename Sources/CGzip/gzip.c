#include "gzip.h"

#include <stdlib.h>
#include <zlib.h>

/* zlib's number for "the format is gzip, with the largest window". */
enum { gzip_window = 15 + 16 };

/* zlib counts in 32 bits, so long runs go through it in pieces. */
static const size_t piece = 1u << 30;

static uInt at_most(size_t count) { return (uInt)(count < piece ? count : piece); }

/* Header and trailer have 18 bytes; zlib's own bound is for streams of its own format, with 6 of them. */
size_t sx_gzip_bound(size_t count) { return compressBound(count) + 18; }

size_t sx_gzip(const unsigned char *bytes, size_t count, unsigned char *out) {
  z_stream stream = {0};
  size_t capacity = sx_gzip_bound(count);
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, gzip_window, 8, Z_DEFAULT_STRATEGY) != Z_OK) return 0;
  stream.next_in = (Bytef *)bytes;
  stream.next_out = out;
  int status = Z_OK;
  while (status == Z_OK || status == Z_BUF_ERROR) {
    size_t left = count - (size_t)(stream.next_in - bytes);
    stream.avail_in = at_most(left);
    stream.avail_out = at_most(capacity - (size_t)(stream.next_out - out));
    status = deflate(&stream, left > piece ? Z_NO_FLUSH : Z_FINISH);
  }
  size_t made = status == Z_STREAM_END ? (size_t)(stream.next_out - out) : 0;
  deflateEnd(&stream);
  return made;
}

struct sx_gunzip {
  z_stream stream;
  const unsigned char *end;
};

sx_gunzip *sx_gunzip_begin(const unsigned char *bytes, size_t count) {
  sx_gunzip *unpacking = calloc(1, sizeof *unpacking);
  if (unpacking == NULL) return NULL;
  if (inflateInit2(&unpacking->stream, gzip_window) != Z_OK) {
    free(unpacking);
    return NULL;
  }
  unpacking->stream.next_in = (Bytef *)bytes;
  unpacking->end = bytes + count;
  return unpacking;
}

enum sx_gunzip_status sx_gunzip_next(sx_gunzip *unpacking, unsigned char *out, size_t room, size_t *made) {
  z_stream *stream = &unpacking->stream;
  stream->avail_in = at_most((size_t)(unpacking->end - stream->next_in));
  stream->avail_out = at_most(room);
  stream->next_out = out;
  int status = inflate(stream, Z_NO_FLUSH);
  *made = (size_t)(stream->next_out - out);
  int is_at_end = stream->next_in == unpacking->end;
  if (status == Z_STREAM_END) {
    if (is_at_end) return SX_GUNZIP_DONE;
    /* Several streams in a row are one (RFC 1952, 2.2). */
    return inflateReset(stream) == Z_OK ? SX_GUNZIP_MORE : SX_GUNZIP_CORRUPT;
  }
  if (status != Z_OK && status != Z_BUF_ERROR) return SX_GUNZIP_CORRUPT;
  return *made == 0 && is_at_end ? SX_GUNZIP_TRUNCATED : SX_GUNZIP_MORE;
}

void sx_gunzip_end(sx_gunzip *unpacking) {
  inflateEnd(&unpacking->stream);
  free(unpacking);
}
