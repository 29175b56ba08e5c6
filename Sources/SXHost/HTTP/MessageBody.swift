import NIOCore
import SX

extension Datum {
  /// The body of a message: text where the bytes are UTF-8, bytes where they are not. Nothing is lost either way.
  init(body: ByteBuffer) {
    if let text = try? body.getUTF8ValidatedString(at: body.readerIndex, length: body.readableBytes) {
      self = .string(text)
    } else {
      self = .bytes(Array(body.readableBytesView))
    }
  }
}

extension OperationCall {
  /// A body that is to be sent: the bytes of a bytevector, or of a string in UTF-8; none for nil.
  func body(_ index: Int) throws(OperationFailure) -> ByteBuffer {
    switch try datum(index) {
    case .null: return ByteBuffer()
    case .string(let text): return ByteBuffer(string: text)
    case .bytes(let bytes): return ByteBuffer(bytes: bytes)
    default: throw mismatch(index, "string or bytevector")
    }
  }
}
