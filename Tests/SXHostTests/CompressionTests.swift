import SX
import SXHost
import Testing

/// The operation gunzip, on streams that the command gzip makes.
@Suite struct CompressionTests {
  /// "hello", as `gzip -n` writes it.
  private static let hello = "31 139 8 0 0 0 0 0 0 3 203 72 205 201 201 7 0 134 166 16 54 5 0 0 0"

  /// The unpacked bytes as text, what else it gave, or the error's message.
  private func unpack(_ bytes: String, limit: Int = 100) async throws -> Datum {
    let server = try await TestServer.handling("(fn (exchange request) nil)", options: ":grace-ms 1")
    let unpacked = try await server.datum("""
      (guard (e (true (error-message e)))
        (let ((bytes (perform {:op "gunzip" :args (list (bytevector \(bytes)) \(limit))})))
          (if (bytevector? bytes) (utf8->string bytes) bytes)))
      """)
    await server.stop()
    return unpacked
  }

  @Test func streamsAreUnpackedUpToTheLimit() async throws {
    #expect(try await unpack(Self.hello) == "hello")
    #expect(try await unpack(Self.hello, limit: 5) == "hello")
    #expect(try await unpack(Self.hello, limit: 4) == .null)
  }

  @Test func severalStreamsInARowAreOne() async throws {
    #expect(try await unpack(Self.hello + " " + Self.hello) == "hellohello")
    #expect(try await unpack(Self.hello + " " + Self.hello, limit: 9) == .null)
  }

  @Test func whatIsNotWholeAndSoundIsAnError() async throws {
    #expect(try await unpack("") == "gunzip: the stream ends too early")
    #expect(try await unpack(String(Self.hello.dropLast(2))) == "gunzip: the stream ends too early")
    #expect(try await unpack(Self.hello + " 1") == "gunzip: the stream ends too early")
    #expect(try await unpack(Self.hello + " 1 2 3") == "gunzip: this is no gzip stream")
    #expect(try await unpack("104 101 108 108 111") == "gunzip: this is no gzip stream")
    #expect(try await unpack(Self.hello.replacing("134", with: "135")) == "gunzip: this is no gzip stream")
  }
}
