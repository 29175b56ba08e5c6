import NIOCore
import NIOEmbedded
import NIOHTTP1
import NIOHTTPCompression

/// Compression of a whole request body.
enum Gzip {
  /// The bytes as a gzip stream (RFC 1952). O(n).
  ///
  /// The library compresses what passes through a channel; an embedded one, used on the calling thread alone, lends itself.
  static func compressed(_ body: ByteBuffer) throws -> ByteBuffer {
    let channel = EmbeddedChannel()
    try channel.pipeline.syncOperations.addHandler(NIOHTTPRequestCompressor(encoding: .gzip))
    defer { _ = try? channel.finish() }
    try channel.writeOutbound(HTTPClientRequestPart.head(HTTPRequestHead(version: .http1_1, method: .POST, uri: "/")))
    try channel.writeOutbound(HTTPClientRequestPart.body(.byteBuffer(body)))
    try channel.writeOutbound(HTTPClientRequestPart.end(nil))
    var result = ByteBuffer()
    while let part = try channel.readOutbound(as: HTTPClientRequestPart.self) {
      if case .body(.byteBuffer(var bytes)) = part { result.writeBuffer(&bytes) }
    }
    return result
  }
}
