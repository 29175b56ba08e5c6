import SX

@testable import SXHost

#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

extension NativeProperty {
  /// What comes through the probe's socket: frames are those that were written, up to the first that is none, and a turn of a session
  /// is the same after it was written and read again.
  static let probe = NativeProperty {
    { input in
      var ends: [Int32] = [0, 0]
      #if canImport(Glibc)
        let kind = Int32(SOCK_STREAM.rawValue)
      #else
        let kind = SOCK_STREAM
      #endif
      guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { throw SystemError("cannot make sockets") }
      let writer = UnixSocket(descriptor: ends[0]), reader = UnixSocket(descriptor: ends[1])
      // More might not fit into the socket, where nobody reads yet.
      let sent = input.prefix(16 * 1024)
      try writer.write(Array(sent))
      shutdown(writer.descriptor, Int32(SHUT_WR))

      var read: [UInt8] = []
      var turns: [Session.Turn] = []
      var isWhole = false
      do throws(ProbeFailure) {
        while let frame = try ProbeFrame.read(from: reader, limit: ProbeFrame.sourceLimit) {
          read += frame.encoded
          if frame.kind == .converse, let turn = ProbeTurn.decode(frame.text) { turns.append(turn) }
        }
        isWhole = true
      } catch {}
      guard sent.starts(with: read), !isWhole || read.count == sent.count else { throw Violation("frames are read differently") }

      // What a client writes comes from its own machine.
      let half = sent.count / 2
      var turn = Session.Turn(String(decoding: sent.dropFirst(half), as: UTF8.self))
      turn.directory = String(decoding: sent.prefix(half), as: UTF8.self)
      turn.width = half + 1
      turns.append(turn)
      for turn in turns {
        guard let again = ProbeTurn.decode(ProbeTurn.encode(turn)), isSame(again, turn) else { throw Violation("a turn is read differently: \(turn)") }
      }
    }
  }

  /// A directory that no line can name is left out, and an empty one is none.
  private static func isSame(_ again: Session.Turn, _ turn: Session.Turn) -> Bool {
    let directory = turn.directory.flatMap { $0.isEmpty || $0.utf8.contains(UInt8(ascii: "\n")) ? nil : Array($0.utf8) }
    return again.source.utf8.elementsEqual(turn.source.utf8) && again.directory.map { Array($0.utf8) } == directory
      && (again.width, again.usesColors, again.isPlain) == (turn.width, turn.usesColors, turn.isPlain)
  }
}
