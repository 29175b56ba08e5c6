/// Finds the name that somebody probably meant.
enum Suggestion {
  /// `did you mean …?` for the nearest of the names, when one is near.
  static func near(_ name: String, globalNames: [String]) -> String? {
    let wanted = Array(name.utf8)
    guard wanted.count > 2 else { return nil }
    let most = max(1, min(3, wanted.count / 3))
    var best: (name: String, distance: Int)?
    for candidate in globalNames where abs(candidate.utf8.count - wanted.count) <= most && !candidate.contains("/-") {
      let d = distance(wanted, Array(candidate.utf8), most: best?.distance ?? most + 1)
      if d <= most, d < best?.distance ?? Int.max { best = (candidate, d) }
    }
    return best.map { "did you mean `\($0.name)`?" }
  }

  /// Edits (insert, delete, replace, swap of neighbours) between two texts; anything above `most` may be reported as `most + 1`.
  static func distance(_ a: [UInt8], _ b: [UInt8], most: Int) -> Int {
    var before: [Int] = [], row = Array(0...b.count)
    for i in 1..<max(1, a.count + 1) {
      var next = [i] + Array(repeating: 0, count: b.count)
      for j in 1..<max(1, b.count + 1) {
        let same = a[i - 1] == b[j - 1]
        next[j] = min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (same ? 0 : 1))
        if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { next[j] = min(next[j], before[j - 2] + 1) }
      }
      if (next.min() ?? 0) > most { return most + 1 }
      before = row
      row = next
    }
    return row[b.count]
  }
}
