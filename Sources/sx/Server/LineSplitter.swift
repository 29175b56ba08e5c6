/// Cuts bytes, as they come, into lines.
struct LineSplitter {
  enum Piece: Equatable {
    /// Without its line break.
    case line([UInt8])
    /// A line that nobody could mean; it was dropped.
    case tooLong
  }

  /// Bytes that a line may have, about: one that is whole in the last chunk may have more.
  let longestLine: Int
  private var line: [UInt8] = []
  private var isTooLong = false

  init(longestLine: Int) { self.longestLine = longestLine }

  mutating func take(_ chunk: ArraySlice<UInt8>, _ emit: (Piece) -> Void) {
    var rest = chunk
    while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
      emit(isTooLong ? .tooLong : .line(line + rest[..<end]))
      (line, isTooLong) = ([], false)
      rest = rest[(end + 1)...]
    }
    if isTooLong || line.count + rest.count > longestLine {
      (line, isTooLong) = ([], true)
    } else {
      line += rest
    }
  }

  /// The end of the input, which ends a line as well.
  mutating func finish(_ emit: (Piece) -> Void) {
    if isTooLong { emit(.tooLong) } else if !line.isEmpty { emit(.line(line)) }
    (line, isTooLong) = ([], false)
  }
}
