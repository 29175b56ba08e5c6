#if canImport(Darwin)
  import Darwin
#elseif canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Colours for people. Without a terminal, with `NO_COLOR` (https://no-color.org) or on a dumb terminal every text stays as it is.
struct Palette: Sendable {
  let isColored: Bool

  func good(_ text: String) -> String { paint(text, "32") }
  func bad(_ text: String) -> String { paint(text, "1;31") }
  func warning(_ text: String) -> String { paint(text, "33") }
  func strong(_ text: String) -> String { paint(text, "1") }
  func faint(_ text: String) -> String { paint(text, "2") }
  func place(_ text: String) -> String { paint(text, "36") }

  private func paint(_ text: String, _ code: String) -> String {
    isColored && !text.isEmpty ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
  }
}

/// Durations for people.
enum Milliseconds {
  /// "0.4 ms", "12 ms", "1.25 s", "3 min 5 s".
  static func text(_ milliseconds: Double) -> String {
    switch milliseconds {
    case ..<10: "\(rounded(milliseconds, 10)) ms"
    case ..<1000: "\(Int(milliseconds.rounded())) ms"
    case ..<60_000: "\(rounded(milliseconds / 1000, 100)) s"
    default: "\(Int(milliseconds / 60_000)) min \(Int(milliseconds / 1000) % 60) s"
    }
  }

  private static func rounded(_ number: Double, _ parts: Double) -> String {
    let number = (number * parts).rounded() / parts
    return number == number.rounded() ? "\(Int(number))" : "\(number)"
  }
}
