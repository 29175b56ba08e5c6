/// Finds the name that somebody probably meant.
enum Suggestion {
  /// `did you mean …?` for the nearest of the names, when one is near.
  static func near(_ name: String, globalNames: [String]) -> String? {
    nearest(name, among: globalNames).first.map { "did you mean `\($0)`?" }
  }

  /// The public ones among the names that are near, nearest first; at most five.
  static func nearest(_ name: String, among names: [String]) -> [String] {
    let wanted = Array(name.utf8)
    guard wanted.count > 1 else { return [] }
    let most = wanted.count < 4 ? 1 : min(3, wanted.count / 3)
    var found: [(name: String, distance: Int)] = []
    for candidate in names where DocumentationIndex.isPublic(candidate) {
      let other = Array(candidate.utf8)
      guard abs(other.count - wanted.count) <= most else {
        // `string_length` and `stringLength` for `string-length`; a mark at the end forgotten.
        continue
      }
      // Two letters have too many neighbours: only another order, or a mark at the end, is a hint.
      let d = distance(wanted, other, most: most)
      if d <= most, wanted.count > 2 || other.count == 3 && other.starts(with: wanted) || Set(other) == Set(wanted) { found.append((candidate, d)) }
    }
    let spelled = kebab(name)
    if spelled != name, names.contains(spelled) { found.append((spelled, 0)) }
    // Among equally near ones the one that begins alike, then the shorter one.
    func order(_ f: (name: String, distance: Int)) -> (Int, Int, Int, String) { (f.distance, f.name.utf8.first == wanted.first ? 0 : 1, f.name.utf8.count, f.name) }
    return found.sorted { order($0) < order($1) }.prefix(5).map(\.name)
  }

  /// `stringLength` and `string_length` as `string-length`.
  private static func kebab(_ name: String) -> String {
    var out = ""
    for scalar in name.unicodeScalars {
      if scalar == "_" {
        out += "-"
      } else if scalar.properties.isUppercase, scalar.isASCII {
        out += (out.isEmpty || out.hasSuffix("-") ? "" : "-") + String(scalar).lowercased()
      } else {
        out.unicodeScalars.append(scalar)
      }
    }
    return out
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
